"""Names of the mechanism's controls."""

CONTROLS = ("projected_out", "shuffled_labels", "ablation", "components_add_up")
