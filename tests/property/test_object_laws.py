"""The laws over a whole object: how its containers are ordered never shows in what is decided."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stagepass.admission import judge_object
from stagepass.decision import Answer, Decision
from stagepass.evidence import Deadline
from stagepass.verifier import Verifier
from tests.core.objects import pod, request
from tests.core.sources import MemorySource
from tests.property.worlds import LAW
from tests.world import IMAGE, NOW, OTHER_IMAGE, good_evidence, policy_set

POLICY = policy_set()
images = st.sampled_from(
    [str(IMAGE), str(OTHER_IMAGE), f"{IMAGE.name}:1.2", "ghcr.io/x/y:1", "no image", ""]
)


def decide(spec: dict[str, Any]) -> Decision:
    verifier = Verifier(POLICY, [MemorySource(good_evidence())])
    return judge_object(
        verifier, "prod-eu", request(pod(spec)), now=NOW, deadline=Deadline.after(60)
    )


def seen(decision: Decision) -> tuple[Any, ...]:
    """All of it but the positions, which say where in the object an image stands."""
    violations = sorted((v.image, v.code, v.message, v.fix) for v in decision.violations)
    return decision.answer, decision.enforcement, decision.places, violations, decision.notes


@LAW
@given(
    st.lists(images, min_size=1, max_size=5),
    st.lists(images, max_size=3),
    st.randoms(use_true_random=False),
)
def test_the_order_of_containers_never_matters(
    main: list[str], init: list[str], shuffle: random.Random
) -> None:
    lists = {"containers": main, "initContainers": init}
    spec = {
        name: [{"name": f"{name[0]}{i}", "image": image} for i, image in enumerate(images)]
        for name, images in lists.items()
    }
    mixed = {name: shuffle.sample(items, len(items)) for name, items in spec.items()}

    assert seen(decide(mixed)) == seen(decide(spec))


def test_the_law_is_tried_on_admitted_and_on_denied() -> None:
    def answer(*names: str) -> Answer:
        return decide({"containers": [{"name": n, "image": n} for n in names]}).answer

    assert answer(str(IMAGE)) is Answer.ADMITTED
    assert answer(str(IMAGE), str(OTHER_IMAGE)) is Answer.DENIED
