"""Trains deep sigmoid networks with each technique and reports what came of it."""

import os

# MKL picks a kernel by the alignment of its operands, so without this a run's bits would depend on
# where in the stack it lies. It is read at MKL's first call, which a recipe may make when it is
# imported, hence here; it costs no measurable time.
os.environ["MKL_CBWR"] = "AUTO,STRICT"
