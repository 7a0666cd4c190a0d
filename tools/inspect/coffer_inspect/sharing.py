"""Shares over GF(257), their checks, drills, words and paper sheets: domain/FORMAT.md 3.5-3.7."""
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .errors import AUTH, CORRUPT, Refused, need
from .kdf import kdf512
from .signature import ORDER, verify_p256

STARTS = ("ba be bo bu da de do du fe fo ga go ha he hu ka "
          "ke ko la le lo lu ma me mo na ne no ra re ro ta").split()
ENDS = [i + v + "klmnrstx"[(a + b) % 8] for a, i in enumerate("bdglmrst")
        for b, v in enumerate("aeio")]


# Shares ------------------------------------------------------------------------------------

def words_of(share):
    """(x, [32 values]) of the 64 bytes of a share."""
    need(len(share) == 64, CORRUPT, f"not a share: {len(share)} bytes, not 64")
    words = [int.from_bytes(share[i:i + 2], "little") for i in range(0, 64, 2)]
    x = words[0] >> 9
    need(all(w >> 9 == x for w in words), CORRUPT, "not a share: words disagree on x")
    need(1 <= x <= 126, CORRUPT, f"not a share: x = {x}")
    values = [w & 0x1FF for w in words]
    need(max(values) <= 256, CORRUPT, "not a share: a value above 256")
    return x, values


def share_of(x, values):
    return b"".join(((x << 9) | v).to_bytes(2, "little") for v in values)


def combine(shares):
    """The master key from [(x, values)]: Lagrange at 0 modulo 257."""
    need(len({x for x, _ in shares}) == len(shares), CORRUPT, "a share is given twice")
    out = bytearray()
    for column in range(32):
        total = 0
        for x, values in shares:
            term = values[column]
            for other, _ in shares:
                if other != x:
                    term = term * -other * pow(x - other, 255, 257) % 257
            total = (total + term) % 257
        need(total < 256, AUTH, "shares do not combine")
        out.append(total)
    return bytes(out)


def context(domain_id, sharing_id, quorum, holders):
    return domain_id + sharing_id + bytes([quorum, holders])


def scalar(share, sharing):
    """d of domain/FORMAT.md 3.6; `sharing` = context(...)."""
    x, _ = words_of(share)
    z = kdf512(share, "coffer.v1.share", sharing + bytes([x]))
    return 1 + int.from_bytes(z, "big") % (ORDER - 1)


def check_of(share, sharing):
    key = ec.derive_private_key(scalar(share, sharing), ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.X962,
                            serialization.PublicFormat.CompressedPoint)


def master_check(master, sharing):
    return kdf512(master, "coffer.v1.master", sharing)[:32]


def drill_message(document_id, x, challenge, time):
    return (b"coffer.v1.drill\0" + document_id + bytes([x]) + challenge
            + time.to_bytes(8, "little"))


def verify_drill(check, document_id, answer, challenge):
    """Checks the 138 bytes of an answer; returns (x, time)."""
    need(len(answer) == 138 and answer[0] == 1, CORRUPT, "not a drill answer")
    x, time = answer[33], int.from_bytes(answer[66:74], "little")
    need(answer[1:33] == document_id, AUTH, "drill is for another document")
    need(answer[34:66] == challenge, AUTH, "drill answers another challenge")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), check)
    verify_p256(key, drill_message(document_id, x, challenge, time), answer[74:],
                f"drill of officer {x}")
    return x, time


# Words -------------------------------------------------------------------------------------

def word(number):
    return STARTS[number >> 5] + ENDS[number & 31]


def number_of(text):
    """0..1023, or None for what is no word."""
    text = text.lower()
    if len(text) == 5 and text[:2] in STARTS and text[2:] in ENDS:
        return STARTS.index(text[:2]) << 5 | ENDS.index(text[2:])
    return None


def spoken(data, count=8):
    """The first 10 * count bits as words."""
    bits = int.from_bytes(data, "big") >> (8 * len(data) - 10 * count)
    return " ".join(word(bits >> (10 * (count - 1 - i)) & 1023) for i in range(count))


# Reed-Solomon over GF(1024), x^10 + x^3 + 1, roots alpha^1..alpha^6 ---------------------------

EXP = [1]
for _ in range(1022):
    _next = EXP[-1] << 1
    EXP.append(_next ^ 0x409 if _next & 0x400 else _next)
LOG = {v: i for i, v in enumerate(EXP)}
SHEET, PARITY = 42, 6


def mul(a, b):
    return EXP[(LOG[a] + LOG[b]) % 1023] if a and b else 0


def inv(a):
    return EXP[-LOG[a] % 1023]


def syndromes(symbols):
    out = []
    for root in range(1, PARITY + 1):
        total = 0
        for s in symbols:
            total = mul(total, EXP[root]) ^ s
        out.append(total)
    return out


def _solve(rows, right):
    """Gauss over GF(1024): least unknowns such that rows * unknowns = right, or None."""
    table = [list(r) + [v] for r, v in zip(rows, right)]
    width, pivot_row = len(rows[0]), 0
    for column in range(width):
        pivot = next((r for r in range(pivot_row, len(table)) if table[r][column]), None)
        if pivot is None:
            return None
        table[pivot_row], table[pivot] = table[pivot], table[pivot_row]
        scale = inv(table[pivot_row][column])
        table[pivot_row] = [mul(scale, v) for v in table[pivot_row]]
        for r, line in enumerate(table):
            if r != pivot_row and line[column]:
                factor = line[column]
                table[r] = [v ^ mul(factor, p) for v, p in zip(line, table[pivot_row])]
        pivot_row += 1
    if any(line[width] for line in table[pivot_row:]):
        return None
    return [table[i][width] for i in range(width)]


def _errors_at(symbols, places):
    """Symbols corrected at these places, or None when that does not explain the syndromes."""
    rows = [[EXP[root * (SHEET - 1 - p) % 1023] for p in places] for root in range(1, PARITY + 1)]
    found = _solve(rows, syndromes(symbols))
    if found is None:
        return None
    out = list(symbols)
    for place, value in zip(places, found):
        out[place] ^= value
    return out


def correct(symbols):
    """(symbols, changed places): fills None entries, or places up to two wrong words."""
    gaps = [i for i, s in enumerate(symbols) if s is None]
    need(len(gaps) <= PARITY, AUTH, f"{len(gaps)} words illegible, at most {PARITY} can be filled")
    full = [s or 0 for s in symbols]
    if not gaps and not any(syndromes(full)):
        return full, []
    if gaps:
        fixed = _errors_at(full, gaps)
        if fixed is not None:
            return fixed, gaps
    room = (PARITY - len(gaps)) // 2
    free = [p for p in range(SHEET) if p not in gaps]
    sets = [[p] for p in free] if room >= 1 else []
    if room >= 2:
        sets += [[p, q] for i, p in enumerate(free) for q in free[i + 1:]]
    for extra in sets:
        fixed = _errors_at(full, gaps + extra)
        if fixed is not None:
            return fixed, sorted(gaps + extra)
    raise Refused(AUTH, "the sheet's words do not fit, and which are wrong cannot be told")


def parity(data):
    """Six parity symbols of 36 data symbols, by solving for them."""
    fixed = _errors_at(list(data) + [0] * PARITY, list(range(SHEET - PARITY, SHEET)))
    return fixed[SHEET - PARITY:]


def sheet_of(share, sharing_id, quorum, holders):
    x, values = words_of(share)
    bits = int.from_bytes(sharing_id[:3], "big") >> 4
    data = [1 << 7 | x, quorum << 6 | holders << 2, bits >> 10, bits & 1023] + values
    return [word(s) for s in data + parity(data)]


def read_sheet(text, sharing_id, quorum, holders):
    """(share, changed word numbers from 1) of 42 words; `?` stands for an illegible one."""
    words = text.split()
    need(len(words) == SHEET, CORRUPT, f"a sheet has {SHEET} words, these are {len(words)}")
    symbols, changed = correct([number_of(w) for w in words])
    need(symbols[0] >> 7 == 1, CORRUPT, "sheet of a newer format")
    x, bits = symbols[0] & 127, int.from_bytes(sharing_id[:3], "big") >> 4
    need(symbols[2] << 10 | symbols[3] == bits, AUTH, "the sheet is from another sharing")
    need(symbols[1] == quorum << 6 | holders << 2, AUTH, "the sheet's M and N are others")
    need(max(symbols[4:36]) <= 256, CORRUPT, "not a share: a value above 256")
    return share_of(x, symbols[4:36]), [p + 1 for p in changed]
