"""What is asked about and what is pushed towards, and the words it is asked in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from experiments.shared.condition_families import TopicPair
from introlab.tasks.materials import Materials, Split


@dataclass(frozen=True)
class Scenario:
    """A topic asked about and a topic pushed towards, once."""

    topic: str
    push: str
    replicate: int

    @property
    def item(self) -> str:
        return str(TopicPair(self.topic, self.push))


def test_scenes(topics: Sequence[str], replicates: int) -> list[Scenario]:
    """Every ordered pair of topics."""
    return [Scenario(*pair, replicate) for pair in permutations(topics, 2) for replicate in range(replicates)]


def worded(materials: Materials, scene: Scenario, split: Split) -> tuple[str, str]:
    """The plain request for a scene's topic, and the one that asks in words for the other topic too."""
    templates = materials.wording.topic_templates[split]
    plain = templates[scene.replicate % len(templates)].format(topic=scene.topic)
    return plain, f"{plain} {materials.wording.request_topic.format(topic=scene.push)}"
