"""The program: its commands in groups, each with an example, and its help."""

from collections.abc import Callable

from cyclopts import App, Group, Parameter

import bayescale as bs
from bayescale.cli.commands.allocate import allocate
from bayescale.cli.commands.backtest import backtest
from bayescale.cli.commands.check import check
from bayescale.cli.commands.compare import compare
from bayescale.cli.commands.curve import curve
from bayescale.cli.commands.data import app as data_app
from bayescale.cli.commands.data_limit import data_limit
from bayescale.cli.commands.fit import fit
from bayescale.cli.commands.groups import groups
from bayescale.cli.commands.import_runs import import_command
from bayescale.cli.commands.laws import laws
from bayescale.cli.commands.multiplier import multiplier
from bayescale.cli.commands.plan import plan
from bayescale.cli.commands.report import report
from bayescale.cli.commands.serve import serve
from bayescale.cli.commands.skills import skills

type Command = Callable[..., int] | App

COMMANDS: dict[str, dict[str, tuple[Command, str]]] = {
    "Look at runs and laws": {
        "check": (check, "bayescale check my.csv --map N=model_size,loss=val/loss"),
        "fit": (fit, "bayescale fit my.csv --laws chinchilla,tilt --output fits"),
        "compare": (compare, "bayescale compare my.csv --by budget,largest"),
        "backtest": (backtest, "bayescale backtest my.csv --law chinchilla --by N"),
        "laws": (laws, "bayescale laws chinchilla --figure prior.svg"),
    },
    "Decide": {
        "allocate": (allocate, "bayescale allocate my.csv --budget 1e22 --budget 1e24"),
        "serve": (serve, "bayescale serve my.csv --budget 1e24 --demand 5T"),
        "data-limit": (data_limit, "bayescale data-limit my.csv --budget 1e25 --unique-tokens 15T"),
        "plan": (plan, "bayescale plan my.csv --spend 1e21 --target 1e24"),
        "multiplier": (multiplier, "bayescale multiplier my.csv --groups recipe"),
        "groups": (groups, "bayescale groups my.csv --responses english,german,code --from 1e20 --to 1e22"),
        "curve": (curve, "bayescale curve finished.csv now.csv --tokens 100B"),
        "skills": (skills, "bayescale skills scores.csv --family Llama-2 --budget 1e25 --threshold 0.8"),
    },
    "Write it down": {
        "report": (report, "bayescale report my.csv --budget 1e24 --output report.html"),
    },
    "Get tables": {
        "data": (data_app, "bayescale data show gemstones-hot"),
        "import": (import_command, "bayescale import runs/*/trainer_state.json --output my.csv"),
    },
}
"""The commands in the groups of the help, each with its example, which ends its help and is parsed by a test."""

EXAMPLES = {
    **{name: example for commands in COMMANDS.values() for name, (_, example) in commands.items()},
    "data get": "bayescale data get gemstones-hot",
    "data show": "bayescale data show gemstones-hot",
    "--install-completion": "bayescale --install-completion --shell bash",
}

app = App(
    name="bayescale",
    help="Bayesian scaling-law fits: which law holds on your runs, and what to train with a compute budget.",
    help_epilogue="Example: bayescale compare chinchilla\n\n"
    "Exit status: 0 fine, 1 unexpected, 2 usage, 3 unusable data, 4 doubtful diagnostics under --strict, "
    "130 interrupted, 143 terminated. Results go to stdout, progress to stderr.",
    version=bs.__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative=(), show_default=False),
)
app.register_install_completion_command(
    help="Install completion for bash, zsh, fish or PowerShell: of commands, options, tables and laws."
)


def show_examples() -> None:
    """Put the example of each command at the end of its help."""
    for command, example in EXAMPLES.items():
        found = app
        for name in command.split():
            found = found[name]
        found.help_epilogue = f"Example: {example}"


for title, commands in COMMANDS.items():
    group = Group.create_ordered(title)
    for command_name, (command, _) in commands.items():
        app.command(command, name=command_name)
        app[command_name].group = group
program = Group.create_ordered("This program")
for flag in ("--help", "--version", "--install-completion"):
    app[flag].group = program
show_examples()
