"""Commands, one a file, named after their scripts; their parts stand in folders, one a subject.

That of scripts/train.py begins in `job`, before the imports that take seconds.
"""

import gc
import sys

if "torch" not in sys.modules:  # in a script, which holds nothing yet: what others hold must not be kept for ever
    gc.disable()  # what torch makes as it is loaded stays: looking through it over and over costs a tenth of a start
    try:
        import torch as torch
    finally:
        gc.enable()
    gc.freeze()
