"""Writes the DICOM modules of each kind of made-up image (PS3.3 A.3, A.2, A.4, A.26, A.6)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from demo.phantom_pixels import HU_OFFSET, Grid, Pixels

BREAST = ("76752008", "SCT", "Breast")
ANATOMY = {
    "HAND": ("85562004", "SCT", "Hand"),
    "CHEST": ("816094009", "SCT", "Chest"),
    "BREAST": BREAST,
}


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def add_pixels(dataset: Dataset, pixels: Pixels, *, bits: int = 12) -> None:
    """Image Pixel (PS3.3 C.7.6.3): one unsigned sample a pixel, 8 or 16 bits allocated."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 if bits == 8 else 16
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = 0
    if bits == 8:
        dataset.add_new("PixelData", "OB", pixels.astype("u1").tobytes())
    else:
        dataset.add_new("PixelData", "OW", pixels.astype("<u2").tobytes())


def add_plane(dataset: Dataset, grid: Grid, index: int, *, is_sagittal: bool = False) -> None:
    """Frame of Reference and Image Plane (PS3.3 C.7.4.1, C.7.6.2)."""
    first, z = -grid.field / 2 + grid.spacing / 2, grid.heights()[index]
    dataset.PositionReferenceIndicator = ""
    dataset.PixelSpacing = [_decimal(grid.spacing)] * 2
    dataset.SliceThickness = _decimal(grid.gap)
    dataset.SliceLocation = _decimal(z)
    if is_sagittal:
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        dataset.ImagePositionPatient = [_decimal(z), _decimal(first), _decimal(-first)]
    else:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [_decimal(first), _decimal(first), _decimal(z)]


def ct(dataset: Dataset, grid: Grid, index: int) -> None:
    """CT Image (PS3.3 C.8.2.1)."""
    add_plane(dataset, grid, index)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.AcquisitionNumber = 1
    dataset.PatientPosition = "HFS"
    dataset.KVP = 120
    dataset.XRayTubeCurrent = 220
    dataset.ConvolutionKernel = "H30s"
    dataset.RescaleIntercept, dataset.RescaleSlope = -HU_OFFSET, 1
    is_head = dataset.BodyPartExamined == "HEAD"
    dataset.WindowCenter, dataset.WindowWidth = (35, 80) if is_head else (40, 400)


def mr(dataset: Dataset, grid: Grid, index: int) -> None:
    """MR Image (PS3.3 C.8.3.1)."""
    is_knee = dataset.BodyPartExamined == "KNEE"
    add_plane(dataset, grid, index, is_sagittal=is_knee)
    dataset.SpacingBetweenSlices = _decimal(grid.gap)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.AcquisitionNumber = 1
    dataset.PatientPosition = "FFS" if is_knee else "HFS"
    dataset.ScanningSequence = "SE" if is_knee else ["SE", "IR"]
    dataset.SequenceVariant = "SK"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime, dataset.EchoTime = (3000, 30) if is_knee else (9000, 120)
    if not is_knee:
        dataset.InversionTime = 2500
    dataset.EchoTrainLength = 16
    dataset.MagneticFieldStrength = 3
    dataset.WindowCenter, dataset.WindowWidth = 400, 800


def dx(dataset: Dataset, grid: Grid, index: int) -> None:
    """DX Series, Anatomy Imaged, Image, Detector, Positioning (PS3.3 C.8.11)."""
    _projection(dataset, grid)
    is_chest = dataset.BodyPartExamined == "CHEST"
    dataset.PatientOrientation = ["L", "F"] if is_chest else ["R", "F"]
    dataset.ImageLaterality = "U" if is_chest else "L"
    dataset.ViewPosition = "PA"
    view = code("272479007", "SCT", "postero-anterior")
    view.ViewModifierCodeSequence = Sequence()
    dataset.ViewCodeSequence = Sequence([view])
    dataset.DetectorType = "DIRECT"
    dataset.KVP = 120 if is_chest else 52


def mg(dataset: Dataset, grid: Grid, index: int) -> None:
    """Mammography Series and Image (PS3.3 C.8.11.6, C.8.11.7), mediolateral oblique."""
    _projection(dataset, grid)
    dataset.PatientOrientation = ["A", "F"]
    dataset.ImageLaterality = "L"
    dataset.DetectorType = "DIRECT"
    dataset.KVP = 28
    dataset.PositionerType = "MAMMOGRAPHIC"
    dataset.OrganExposed = "BREAST"
    dataset.BreastImplantPresent = "NO"
    view = code("399368009", "SCT", "medio-lateral oblique")
    view.ViewModifierCodeSequence = Sequence()
    dataset.ViewCodeSequence = Sequence([view])
    dataset.EstimatedRadiographicMagnificationFactor = 1
    dataset.PartialView = "NO"


def cr(dataset: Dataset, grid: Grid, index: int) -> None:
    """CR Series and CR Image (PS3.3 C.8.1)."""
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.ViewPosition = "AP"
    dataset.KVP = 90
    dataset.PatientOrientation = ["L", "F"]
    dataset.ImagerPixelSpacing = [_decimal(grid.spacing)] * 2
    dataset.WindowCenter, dataset.WindowWidth = 1500, 3000


def us(dataset: Dataset, grid: Grid, index: int) -> None:
    """US Image (PS3.3 C.8.5.6)."""
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.PatientOrientation = ""
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"


def _projection(dataset: Dataset, grid: Grid) -> None:
    """What DX and mammography share."""
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    dataset.ImagerPixelSpacing = [_decimal(grid.spacing)] * 2
    dataset.PositionerType = ""
    dataset.AcquisitionContextSequence = Sequence()
    dataset.AnatomicRegionSequence = Sequence([code(*ANATOMY[dataset.BodyPartExamined])])
    dataset.WindowCenter, dataset.WindowWidth = 1600, 3200


def _decimal(value: float) -> str:
    """As DS, of at most 16 characters."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
