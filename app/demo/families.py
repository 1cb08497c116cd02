"""What Lindmoor, the demo company, sells: families of household goods and the variants each comes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Variant(NamedTuple):
    """`scale`: of cost, weight and volume against the family's own."""

    code: str
    label: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Family:
    """`cost`: cents of one unit. `grams` and `millilitres`: packed, of one unit."""

    code: str
    title: str
    cost: int
    grams: int
    millilitres: int
    variants: tuple[Variant, ...]


ONLY = (Variant("", ""),)
GLAZES = (Variant("SND", "Sand"), Variant("MOS", "Moss"), Variant("INK", "Ink"))
COLOURS = (*GLAZES, Variant("RST", "Rust"))
SHADES = (*COLOURS, Variant("CHK", "Chalk"))
WOODS = (Variant("OAK", "Oak"), Variant("WAL", "Walnut", 1.25), Variant("BLK", "Black ash", 1.1))
METALS = (Variant("BRS", "Brass"), Variant("STL", "Steel", 0.85))
SIZES = (Variant("S", "Small", 0.7), Variant("M", "Medium"), Variant("L", "Large", 1.5))
PACKS = (Variant("2", "Set of 2"), Variant("4", "Set of 4", 1.9), Variant("6", "Set of 6", 2.7))
SCENTS = (Variant("FIG", "Fig"), Variant("CED", "Cedar"), Variant("SEA", "Sea salt"), Variant("SMK", "Smoke"))
LITRES = (Variant("10", "1.0 l"), Variant("15", "1.5 l", 1.3), Variant("20", "2.0 l", 1.6))
PANS = (Variant("20", "20 cm", 0.8), Variant("24", "24 cm"), Variant("28", "28 cm", 1.25))
BEDS = (
    Variant("090", "90 × 200 cm", 0.7),
    Variant("140", "140 × 200 cm"),
    Variant("160", "160 × 200 cm", 1.15),
    Variant("180", "180 × 200 cm", 1.3),
)
TOWELS = tuple(
    Variant(f"{tone.code}-{width}", f"{tone.label} / {size}", scale)
    for tone in SHADES
    for width, size, scale in (("50", "50 × 100 cm", 1.0), ("70", "70 × 140 cm", 1.9))
)
COVERS = tuple(
    Variant(f"{tone.code}-{width}", f"{tone.label} / {width} × {width} cm", scale)
    for tone in SHADES
    for width, scale in (("40", 0.8), ("50", 1.0))
)

FAMILIES = (
    Family("MUG-STO", "Stoneware mug", 410, 380, 900, SHADES),
    Family("CUP-ESP", "Espresso cup", 290, 160, 350, COLOURS),
    Family("PLA-DIN", "Dinner plate", 560, 780, 1_900, SHADES),
    Family("PLA-SID", "Side plate", 390, 430, 1_100, COLOURS),
    Family("BOW-CER", "Cereal bowl", 480, 520, 1_500, SHADES),
    Family("BOW-SER", "Serving bowl", 1_190, 1_150, 4_200, GLAZES),
    Family("TEA-POT", "Teapot with strainer", 1_840, 1_080, 3_800, GLAZES),
    Family("JUG-WAT", "Water jug", 1_220, 890, 2_900, LITRES),
    Family("GLA-TUM", "Tumbler", 620, 560, 1_800, PACKS),
    Family("GLA-WIN", "Wine glass", 980, 640, 3_400, PACKS),
    Family("CUT-SET", "Cutlery set, 24 pieces", 3_900, 1_700, 3_200, METALS),
    Family("KNI-CHE", "Chef's knife", 2_650, 310, 900, ONLY),
    Family("KNI-PAR", "Paring knife", 990, 110, 350, ONLY),
    Family("BOA-CUT", "Chopping board", 1_340, 1_250, 2_600, WOODS),
    Family("BOA-SER", "Serving board", 1_120, 780, 1_700, WOODS),
    Family("PAN-IRO", "Cast iron pan", 2_380, 2_400, 4_600, PANS),
    Family("PAN-STE", "Steel frying pan", 1_890, 1_300, 4_100, PANS),
    Family("POT-ENA", "Enamel pot with lid", 2_960, 2_900, 7_800, PANS),
    Family("TIN-BAK", "Baking tin", 740, 620, 2_800, SIZES),
    Family("JAR-STO", "Storage jar with cork", 430, 540, 1_600, SIZES),
    Family("CAN-TEA", "Tea caddy", 690, 210, 1_100, COLOURS),
    Family("MIL-PEP", "Pepper mill", 1_560, 420, 900, WOODS),
    Family("APR-LIN", "Linen apron", 1_430, 260, 1_200, COLOURS),
    Family("TOW-TEA", "Tea towel", 380, 120, 500, SHADES),
    Family("NAP-LIN", "Linen napkins", 890, 200, 700, PACKS),
    Family("RUN-TAB", "Table runner", 1_180, 240, 900, COLOURS),
    Family("TOW-COT", "Cotton towel", 720, 340, 1_900, TOWELS),
    Family("TOW-GUE", "Guest towel", 310, 110, 500, SHADES),
    Family("MAT-BAT", "Bath mat", 1_090, 720, 3_100, GLAZES),
    Family("ROB-BAT", "Waffle bathrobe", 2_740, 980, 5_200, SIZES),
    Family("SOA-DIS", "Soap dispenser", 680, 390, 800, GLAZES),
    Family("SOA-BAR", "Olive soap", 190, 120, 150, SCENTS),
    Family("CAN-SCE", "Scented candle", 740, 430, 700, SCENTS),
    Family("CAN-PIL", "Pillar candle", 320, 480, 600, SIZES),
    Family("DIF-REE", "Reed diffuser", 960, 350, 700, SCENTS),
    Family("CUS-LIN", "Linen cushion cover", 980, 210, 900, COVERS),
    Family("CUS-INN", "Feather cushion filling", 640, 560, 9_000, SIZES),
    Family("BLA-WOO", "Wool blanket", 3_480, 1_250, 8_500, COLOURS),
    Family("THR-COT", "Cotton throw", 1_640, 820, 5_200, SHADES),
    Family("SHE-FIT", "Fitted sheet", 1_390, 620, 2_800, BEDS),
    Family("DUV-LIN", "Linen duvet cover", 4_870, 1_150, 5_600, BEDS),
    Family("PIL-CAS", "Pillowcase", 690, 180, 700, COLOURS),
    Family("DUV-ALL", "All-season duvet", 3_950, 1_900, 24_000, BEDS),
    Family("RUG-JUT", "Jute rug", 4_260, 4_100, 16_000, SIZES),
    Family("BAS-SEA", "Seagrass basket", 1_080, 690, 11_000, SIZES),
    Family("BOX-FEL", "Felt box", 620, 240, 3_000, GLAZES),
    Family("VAS-GLA", "Glass vase", 1_160, 940, 4_300, SIZES),
    Family("VAS-CER", "Ceramic vase", 1_390, 1_100, 4_800, GLAZES),
    Family("PLA-OVA", "Oval platter", 1_260, 1_180, 3_600, GLAZES),
    Family("BOW-RAM", "Ramekin", 280, 210, 450, GLAZES),
    Family("CLO-TAB", "Linen tablecloth", 2_480, 640, 2_400, SHADES),
    Family("CUR-LIN", "Linen curtain", 2_890, 980, 4_300, SHADES),
    Family("CUS-VEL", "Velvet cushion cover", 890, 240, 1_000, COVERS),
    Family("TOW-WAF", "Waffle towel", 640, 260, 1_500, TOWELS),
    Family("SHE-TOP", "Top sheet", 1_280, 560, 2_500, BEDS),
    Family("COV-MAT", "Mattress protector", 1_120, 700, 4_800, BEDS),
    Family("SKI-BED", "Bed skirt", 1_460, 620, 3_100, BEDS),
    Family("SLI-FEL", "Felt slippers", 1_340, 380, 4_200, SIZES),
    Family("SCA-KIT", "Kitchen scale", 1_720, 760, 2_100, METALS),
    Family("POT-PLA", "Plant pot with saucer", 830, 1_300, 4_900, SIZES),
    Family("CAN-WAT", "Watering can", 1_270, 610, 5_400, METALS),
    Family("FRA-PIC", "Picture frame", 780, 620, 2_200, WOODS),
    Family("MIR-ROU", "Round mirror", 3_180, 3_600, 14_000, SIZES),
    Family("CLO-WAL", "Wall clock", 2_090, 900, 4_100, WOODS),
    Family("LAM-TAB", "Table lamp", 3_640, 1_700, 9_800, METALS),
    Family("LAM-PEN", "Pendant lamp", 4_120, 2_100, 15_000, METALS),
    Family("BUL-LED", "LED bulb E27, warm white", 260, 60, 250, PACKS),
    Family("HOO-WAL", "Wall hooks", 540, 220, 400, PACKS),
    Family("HAN-COA", "Coat hangers", 710, 430, 2_600, PACKS),
    Family("STO-STE", "Step stool", 3_340, 3_200, 13_000, WOODS),
    Family("TRA-SER", "Serving tray", 1_280, 960, 3_400, WOODS),
    Family("BOT-THE", "Insulated bottle", 1_150, 330, 900, SHADES),
    Family("BAG-SHO", "Canvas shopper", 560, 190, 800, COLOURS),
    Family("NOT-BOO", "Notebook, dotted", 380, 310, 450, SHADES),
    Family("PEN-BRA", "Brass ballpoint pen", 870, 40, 120, ONLY),
    Family("PUZ-FOX", "Wooden puzzle, fox", 640, 280, 900, ONLY),
    Family("TOY-BLO", "Wooden blocks", 1_220, 1_400, 3_200, ONLY),
    Family("BRU-DIS", "Dish brush", 240, 90, 300, ONLY),
    Family("BRU-HEA", "Brush heads", 190, 70, 250, PACKS),
    Family("CLO-DIS", "Dish cloths", 290, 80, 300, PACKS),
    Family("PEG-CLO", "Clothes pegs, 40 pieces", 310, 260, 900, ONLY),
    Family("BAS-LAU", "Laundry basket", 1_790, 1_300, 38_000, COLOURS),
    Family("HON-LIN", "Lime blossom honey", 420, 690, 550, ONLY),
    Family("TEA-HER", "Herbal tea, 20 bags", 210, 70, 600, SCENTS[:2]),
    Family("COF-BEA", "Coffee beans", 640, 520, 1_300, (Variant("250", "250 g", 0.55), Variant("500", "500 g"))),
    Family("OIL-OLI", "Olive oil", 580, 940, 1_000, (Variant("50", "0.5 l"), Variant("75", "0.75 l", 1.4))),
)
