"""In charge of pydicom keeping to itself what it reads: its warnings quote values, and log them.

Imported for that alone. pydicom warns of a value twice, as a warning and as a line in the log, and
both would end where patient data must never be.
"""

import logging
import warnings

logging.getLogger("pydicom").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
