"""In charge of pydicom keeping to itself what it reads: its warnings quote values, and log them.

Imported for that alone. pydicom warns of a value twice, as a warning and as a line in the log, and
both would end where patient data must never be.
"""

import logging
import warnings

# Not a level: pydicom sets its own when it is imported, which is later than this.
logging.getLogger("pydicom").addFilter(lambda record: record.levelno >= logging.ERROR)
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
