"""What each package offers. A name that comes or goes is a decision, so it is changed here too."""

from importlib import import_module

import pytest

PUBLIC = {
    "harness.gobinary": """
        Facts Function GLayout GoBinary Layout LayoutError MLayout PLayout calibrate examine
        is_locked load_bias open_binary static_layout trap_sites
    """,
    "harness.invariants": "INVARIANTS Invariant",
    "harness.recording": """
        AnyEvent Callee Entry Event Exited HandBack Header Hold Inject Injection Lost Machine
        Outcome Planned Preempt Recorder Recording Release Report Restored Schedule Starved Target
        Trap load
    """,
    "harness.schedule": "Delay Natural Steal volley",
    "harness.toolchain": "Toolchain build_target find_toolchain unlocked_runtime",
    "harness.tracer": "Kind Process Stop Thread",
    "harness.vm": "CPUS GOARCH Guest harness_tree",
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_package_offers_these_names_and_has_them(name: str) -> None:
    package = import_module(name)
    assert sorted(package.__all__) == sorted(PUBLIC[name].split())
    assert len(set(package.__all__)) == len(package.__all__)
    assert all(hasattr(package, public) for public in package.__all__)
