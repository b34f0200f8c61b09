"""What each organism is trained on."""
