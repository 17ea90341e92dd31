"""An example of each command, shown at the end of its help; each is parsed by a test."""

from cyclopts import App

EXAMPLES = {
    "laws": "bayescale laws chinchilla --figure prior.svg",
    "data": "bayescale data show gemstones-hot",
    "data get": "bayescale data get gemstones-hot",
    "data show": "bayescale data show gemstones-hot",
    "import": "bayescale import runs/*/trainer_state.json --output my.csv",
    "check": "bayescale check my.csv --map N=model_size,loss=val/loss",
    "fit": "bayescale fit my.csv --laws chinchilla,tilt --output fits",
    "compare": "bayescale compare my.csv --by budget,largest",
    "allocate": "bayescale allocate my.csv --budget 1e22 --budget 1e24",
    "plan": "bayescale plan my.csv --spend 1e21 --target 1e24",
    "serve": "bayescale serve my.csv --budget 1e24 --demand 5T",
    "data-limit": "bayescale data-limit my.csv --budget 1e25 --unique-tokens 15T",
    "multiplier": "bayescale multiplier my.csv --groups recipe",
    "backtest": "bayescale backtest my.csv --law chinchilla --by N",
    "report": "bayescale report my.csv --budget 1e24 --output report.html",
    "--install-completion": "bayescale --install-completion --shell bash",
}


def show_examples(app: App) -> None:
    """Put the example of each command at the end of its help."""
    for command, example in EXAMPLES.items():
        found = app
        for name in command.split():
            found = found[name]
        found.help_epilogue = f"Example: {example}"
