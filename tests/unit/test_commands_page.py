from tests.commands_page import page
from tests.documented import ROOT


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == page(), "run scripts/commands"
