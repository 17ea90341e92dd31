"""Machine code of a calculation: one loop over rows, by LLVM."""

import ctypes
import functools
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from bayescale.fits.kernel.graph import Node

LIBRARY = {
    "exp": 1,
    "log": 1,
    "log1p": 1,
    "expm1": 1,
    "tanh": 1,
    "erfc": 1,
    "lgamma": 1,
    "pow": 2,
}
"""Functions of the C library, and how many arguments they have."""

INSTRUCTIONS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}

NUMPY: Mapping[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "abs": np.absolute,
    "max": np.maximum,
    "min": np.minimum,
    "power": lambda log_base, exponent: np.exp(log_base * exponent),
    "fixed_power": np.power,
}
"""The operations by NumPy."""

HEAD = f"""
declare double @llvm.fabs.f64(double)
declare double @llvm.sqrt.f64(double)
declare double @llvm.maxnum.f64(double, double)
{"".join(f"declare double @{name}({', '.join(['double'] * count)}){chr(10)}" for name, count in LIBRARY.items())}
define i64 @unchanged(i64 %dim, i64 %expanded, double* %x, double* %out, i8* %data) {{
entry:
  %some = icmp ugt i64 %dim, 0
  br i1 %some, label %each, label %done
each:
  %i = phi i64 [0, %entry], [%next, %each]
  %from = getelementptr double, double* %x, i64 %i
  %value = load double, double* %from
  %to = getelementptr double, double* %out, i64 %i
  store double %value, double* %to
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %dim
  br i1 %more, label %each, label %done
done:
  ret i64 0
}}
"""
"""What a program begins with; ``unchanged`` copies a point."""

NOT_FINITE = {"gradient": 3, "density": 4}
"""What the sampler is answered, in its own numbers, where it has gone too far."""


class NoMachineCode(Exception):
    """A calculation that cannot be compiled here; it is then left to PyMC."""


@dataclass(frozen=True)
class Program:
    """A compiled log density: ``density(dim, x, gradient, value, data)`` by address, as the sampler calls it.

    Attributes
    ----------
    density, unchanged : int
        Addresses of the log density with its gradient, and of a function that copies a point.
    scalars, columns : tuple of Node
        What it is given of the table, in their order.
    engine : object
        Owns the code.
    """

    density: int
    unchanged: int
    scalars: tuple[Node, ...]
    columns: tuple[Node, ...]
    engine: Any

    def data(self, values: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """Return the table as the program takes it: the number of rows, the scalars, one column after the other."""
        with np.errstate(all="ignore"):
            scalars = [np.array([computed(each, values)], dtype=float) for each in self.scalars]
            columns = [np.broadcast_to(np.asarray(computed(each, values), dtype=float), rows) for each in self.columns]
        return np.concatenate([[float(rows)], *scalars, *columns])


def computed(node: Node, values: Mapping[str, np.ndarray]) -> Any:  # noqa: ANN401  (an array or a number)
    """Return a node, of one value or one for each row, from what it depends on."""
    if node.operation in ("number", "data", "column", "free"):
        return node.inputs[0] if node.operation == "number" else values[node.inputs[0]]
    if node.operation == "erfc":
        from scipy.special import erfc  # noqa: PLC0415  (SciPy is not needed before there are draws)

        return erfc(computed(node.inputs[0], values))
    return NUMPY[node.operation](*(computed(each, values) for each in node.inputs))


def compiled(value: Node, slopes: Sequence[Node], variables: Sequence[Node]) -> Program:
    """Compile a sum over rows with its gradient.

    Raises
    ------
    NoMachineCode
        If something of it has no instruction here, or the C library lacks a function.
    """
    writing = _Writing(variables)
    text = writing.program(value, slopes)
    engine = _engine(text)
    density, unchanged = (engine.get_function_address(name) for name in ("density", "unchanged"))
    return Program(density, unchanged, tuple(writing.scalars), tuple(writing.columns), engine)


class _Writing:
    """A program while it is written, in LLVM's language."""

    def __init__(self, variables: Sequence[Node]) -> None:
        self.variables = variables
        self.scalars: list[Node] = []
        self.columns: list[Node] = []
        self.late: set[int] = set()
        """Nodes that depend on a sum over rows."""

    def program(self, value: Node, slopes: Sequence[Node]) -> str:
        """Return the text of a log density with its gradient."""
        steps = self._sorted([value, *slopes])
        before = [each for each in steps if not each.by_row and each.place not in self.late]
        each_row = [each for each in steps if each.by_row]
        after = [each for each in steps if each.place in self.late and each.operation != "sum"]
        sums = [each for each in steps if each.operation == "sum"]
        if any(each.place in self.late for each in each_row):
            raise NoMachineCode("a row depends on a sum over rows")
        results = [_stored(f"%{name}", _name(node)) for name, node in self._outputs(value, slopes)]
        return "\n".join(
            [
                HEAD,
                "define i64 @density(i64 %dim, double* %x, double* %gradient, double* %value, double* %data) {",
                "entry:",
                *(
                    f"  {_name(each)}.sum = alloca double\n  store double 0.0, double* {_name(each)}.sum"
                    for each in sums
                ),
                *self._given(),
                *map(self._step, before),
                *self._loop(each_row, sums),
                *(f"  {_name(each)} = load double, double* {_name(each)}.sum" for each in sums),
                *map(self._step, after),
                *results,
                *_answer(value, slopes),
                "}",
            ]
        )

    def _sorted(self, outputs: Sequence[Node]) -> list[Node]:
        """Return the nodes that are needed, in their order, and note what is given as data."""
        needed: dict[int, Node] = {}
        waiting = list(outputs)
        while waiting:
            node = waiting.pop()
            if node.place in needed or node.operation == "number":
                continue
            needed[node.place] = node
            if node.varies:
                waiting += [each for each in node.inputs if isinstance(each, Node)]
            else:
                (self.columns if node.by_row else self.scalars).append(node)
        steps = [needed[place] for place in sorted(needed)]
        for node in steps:
            if node.varies and (node.operation == "sum" or any(_place(each) in self.late for each in node.inputs)):
                self.late.add(node.place)
        return steps

    def _outputs(self, value: Node, slopes: Sequence[Node]) -> list[tuple[str, Node]]:
        return [("value", value), *((f"slope{i}", each) for i, each in enumerate(slopes))]

    def _given(self) -> list[str]:
        """Return the reading of what is the same for every row."""
        lines = ["  %rows.number = load double, double* %data", "  %rows = fptosi double %rows.number to i64"]
        for i, node in enumerate(self.scalars):
            lines += _read(_name(node), "%data", str(i + 1))
        for i, node in enumerate(self.variables):
            lines += _read(_name(node), "%x", str(i))
            lines.append(f"  %slope{i} = getelementptr double, double* %gradient, i64 {i}")
        for i, node in enumerate(self.columns):
            lines += [
                f"  {_name(node)}.skip = mul i64 %rows, {i}",
                f"  {_name(node)}.from = add i64 {_name(node)}.skip, {1 + len(self.scalars)}",
                f"  {_name(node)}.column = getelementptr double, double* %data, i64 {_name(node)}.from",
            ]
        return lines

    def _loop(self, each_row: Sequence[Node], sums: Sequence[Node]) -> list[str]:
        lines = [
            "  %some = icmp sgt i64 %rows, 0",
            "  br label %before",
            "before:",
            "  br i1 %some, label %each, label %done",
            "each:",
            "  %row = phi i64 [0, %before], [%next, %each]",
        ]
        for node in self.columns:
            lines += _read(_name(node), f"{_name(node)}.column", "%row")
        lines += [self._step(node) for node in each_row if node.varies]
        for node in sums:
            name = _name(node)
            lines += [
                f"  {name}.old = load double, double* {name}.sum",
                f"  {name}.new = fadd double {name}.old, {_name(node.inputs[0])}",
                f"  store double {name}.new, double* {name}.sum",
            ]
        return [
            *lines,
            "  %next = add i64 %row, 1",
            "  %more = icmp slt i64 %next, %rows",
            "  br i1 %more, label %each, label %done",
            "done:",
        ]

    def _step(self, node: Node) -> str:
        """Return the instructions of a node; what is given as data has none."""
        if not node.varies or node.operation == "free":
            return ""
        name, inputs = _name(node), [_name(each) for each in node.inputs]
        if node.operation in INSTRUCTIONS:
            return f"  {name} = {INSTRUCTIONS[node.operation]} double {', '.join(inputs)}"
        if node.operation in LIBRARY:
            return f"  {name} = {_call(node.operation, *inputs)}"
        if node.operation in _SPECIAL:
            return "\n".join(f"  {line}" for line in _SPECIAL[node.operation](name, *inputs))
        raise NoMachineCode(f"'{node.operation}' has no instruction")


def _call(function: str, *inputs: str) -> str:
    return f"call double @{function}({', '.join(f'double {each}' for each in inputs)})"


def _choice(name: str, condition: str, yes: str, no: str) -> list[str]:
    return [f"{name}.yes = fcmp {condition}", f"{name} = select i1 {name}.yes, double {yes}, double {no}"]


_SPECIAL: Mapping[str, Any] = {
    "neg": lambda name, x: [f"{name} = fneg double {x}"],
    "abs": lambda name, x: [f"{name} = {_call('llvm.fabs.f64', x)}"],
    "sqrt": lambda name, x: [f"{name} = {_call('llvm.sqrt.f64', x)}"],
    "max": lambda name, x, y: _choice(name, f"olt double {x}, {y}", y, x),
    "min": lambda name, x, y: _choice(name, f"ogt double {x}, {y}", y, x),
    "at_least": lambda name, x, y: _choice(name, f"oge double {x}, {y}", "1.0", "0.0"),
    "sign": lambda name, x: _choice(name, f"oge double {x}, 0.0", "1.0", "-1.0"),
    "power": lambda name, log, y: [f"{name}.log = fmul double {log}, {y}", f"{name} = {_call('exp', f'{name}.log')}"],
    "fixed_power": lambda name, x, y: [f"{name} = {_call('pow', x, y)}"],
    "product": lambda name, x, y: [  # nothing times anything, minus infinity too, is nothing
        f"{name}.all = fmul double {x}, {y}",
        *_choice(name, f"oeq double {x}, 0.0", "0.0", f"{name}.all"),
    ],
}
"""Instructions of the other operations, from the name of the result and those of the inputs."""


def _name(node: Node) -> str:
    if node.operation == "number":
        return f"0x{struct.unpack('>Q', struct.pack('>d', node.inputs[0]))[0]:016X}"
    return f"%v{node.place}"


def _place(value: object) -> int | None:
    return value.place if isinstance(value, Node) else None


def _read(name: str, pointer: str, index: str) -> list[str]:
    return [
        f"  {name}.at = getelementptr double, double* {pointer}, i64 {index}",
        f"  {name} = load double, double* {name}.at",
    ]


def _stored(pointer: str, value: str) -> str:
    return f"  store double {value}, double* {pointer}"


def _answer(value: Node, slopes: Sequence[Node]) -> list[str]:
    """Return zero, or the sampler's number for a value or a gradient that is not finite."""
    lines = [f"  %gone0 = fsub double {_name(value)}, {_name(value)}", "  %sum0 = fadd double 0.0, 0.0"]
    for i, each in enumerate(slopes):
        lines += [
            f"  %lost{i} = fsub double {_name(each)}, {_name(each)}",
            f"  %sum{i + 1} = fadd double %sum{i}, %lost{i}",
        ]
    return [
        *lines,
        "  %bad.value = fcmp une double %gone0, 0.0",
        f"  %bad.slope = fcmp une double %sum{len(slopes)}, 0.0",
        f"  %answer = select i1 %bad.value, i64 {NOT_FINITE['density']}, i64 0",
        f"  %final = select i1 %bad.slope, i64 {NOT_FINITE['gradient']}, i64 %answer",
        "  ret i64 %final",
    ]


@functools.cache
def _prepared() -> tuple[Any, str, str]:
    """Return LLVM's target, this processor and its features, once the functions of the C library have their names."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    library = ctypes.CDLL(None)
    for name in LIBRARY:
        if llvm.address_of_symbol(name) is None:
            try:
                llvm.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
            except AttributeError as error:
                raise NoMachineCode(f"the C library has no '{name}'") from error
    return llvm.Target.from_default_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _engine(text: str) -> Any:  # noqa: ANN401  (LLVM's)
    """Return the engine that owns the code of a program."""
    target, processor, features = _prepared()
    machine = target.create_target_machine(cpu=processor, features=features, opt=2, jit=True)  # the engine takes it
    module = llvm.parse_assembly(text.replace("double*", "ptr").replace("i8*", "ptr"))
    module.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
