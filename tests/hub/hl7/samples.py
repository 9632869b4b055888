"""Order messages as radiology systems send them, with the letters that Norway needs."""

from hub.hl7.er7 import write_segment

STUDY = "1.2.578.1.12.4711.1"
OTHER_STUDY = "1.2.578.1.12.4711.2"
PATIENT = (
    "PID|1||13097248022^^^FNR&2.16.578.1.12.4.1.4.1&ISO^NNNOR~123456^^^HSO-PAS^PI||"
    "Bærøy&&Bær^Åse^Ø^Jr^Dr^^L||19720913|F"
)

OBR = write_segment(
    "OBR",
    {
        1: "1",
        2: "P100^HIS",
        3: "F200^RIS",
        4: "RCT01^CT caput^99RIS^SS0AA00^CT hode^NCRP",
        13: "Fall i trapp, på Marevan",
        16: "7002^Ødegård^Kåre",
        18: "ACC-1",
        19: "RP-1",
        20: "SPS-1",
        24: "CT",
        27: "1^once^^20260316100000^^R",
        31: "^Blødning?",
    },
)


def msh(kind: str, version: str = "2.5.1", charset: str = "", control_id: str = "RIS0001") -> str:
    head = f"MSH|^~\\&|RIS|DRAMMEN|AVROP|HUB|20260316081500+0100||{kind}|{control_id}|P|{version}"
    return head + (f"||||||{charset}" if charset else "")


def join(*segments: str) -> str:
    return "\r".join(segments) + "\r"


def orm(*, charset: str = "", control: str = "NW", control_id: str = "RIS0001") -> str:
    return join(
        msh("ORM^O01", "2.3.1", charset, control_id),
        PATIENT,
        write_segment("PV1", {1: "1", 2: "I", 8: "7001^Lærøen^Pål^^^Dr", 19: "V42"}),
        f"ORC|{control}|P100^HIS|F200^RIS||SC||1^once^^20260316093000^^S",
        OBR,
        f"ZDS|{STUDY}^RIS^Application^DICOM",
    )


def omi(*, ipcs: tuple[str, ...] = (), charset: str = "UNICODE UTF-8", obx: str = "") -> str:
    ipcs = ipcs or (f"IPC|ACC-2|RP-2|{STUDY}|SPS-2|CT|RPID1^Caput^99RIS",)
    return join(
        msh("OMI^O23^OMI_O23", "2.5.1", charset, "RIS0002"),
        PATIENT,
        write_segment("PV1", {1: "1", 2: "O", 19: "V43"}),
        "ORC|XO|P101|F201||IP|||||||7003^Foss^Siv",
        "TQ1|1||||||20260316103000+0100||A^ASAP^HL70485",
        "OBR|1|P101|F201|RCT02^CT thorax^99RIS",
        *([obx] if obx else []),
        *ipcs,
    )


def omg(*, charset: str = "8859/1") -> str:
    return join(
        msh("OMG^O19^OMG_O19", "2.5.1", charset, "RIS0003"),
        PATIENT,
        "ORC|NW|P102|F202",
        "TQ1|1||||||20260316||T",
        "OBR|1|P102|F202|RMR01^MR hjerne^99RIS||||||||||||||ACC-3|RP-3|||||MR",
        f"ZDS|{OTHER_STUDY}^^Application^DICOM",
    )
