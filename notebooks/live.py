"""Runs the notebooks in gophernotes and compares what it prints and shows with what they store.

    python notebooks/live.py [NOTEBOOK...]

Needs nbclient and a kernel named gophernotes, which kernel.sh makes. The packages are imported from the clone that this file is
in. A notebook ends at the first cell that fails.
"""

import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient

MODULE = "github.com/muppet-go/muppet"
here = pathlib.Path(__file__).resolve().parent


def output(cell):
    """Returns what a cell printed and displayed: text by stream, error or MIME type."""
    found = {}
    for o in cell.outputs:
        if o.output_type == "stream":
            found[o.name] = found.get(o.name, "") + o.text
        elif o.output_type == "error":
            found["error"] = o.evalue
        else:
            found.update(o.data)
    return found


def differences(path):
    """Runs the notebook, prints in what it differs and how long it took, and returns the number of cells that differ."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, kernel_name="gophernotes", timeout=600, allow_errors=True)
    cells, different, first, began = 0, 0, 0.0, time.monotonic()
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            want = output(cell)
            cell.source = cell.source.replace(f'"{MODULE}/', f'"{here.parent}/')
            client.execute_cell(cell, index)
            got = output(cell)
            cells += 1
            if cells == 1:
                first = time.monotonic() - began
            wrong = [kind for kind in sorted(want | got) if want.get(kind) != got.get(kind)]
            different += bool(wrong)
            for kind in wrong:
                print(f"{path.name}[{cells}]: {kind} is\n{got.get(kind)}\nbut the notebook has\n{want.get(kind)}")
            if "error" in got:
                break
    took = time.monotonic() - began
    print(f"{path.name}: {cells} cells, {different} different; imports {first:.1f} s, the rest {took - first:.1f} s")
    return different


paths = [pathlib.Path(p) for p in sys.argv[1:]] or sorted(here.glob("*.ipynb"))
sys.exit(1 if sum(map(differences, paths)) else 0)
