"""Two hundred random damages of a stored backup: each restore of it fails, says so, and changes nothing."""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench

ROUNDS = 200


def flip(random, blob, _other):
    data = bytearray(blob.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    blob.write_bytes(data)


def cut(random, blob, _other):
    data = blob.read_bytes()
    blob.write_bytes(data[:random.randrange(len(data))])


def grow(random, blob, _other):
    blob.write_bytes(blob.read_bytes() + random.randbytes(random.choice((1, 16, 4096))))


def swap(random, blob, _other):
    """Two ranges of the blob trade places."""
    data = bytearray(blob.read_bytes())
    length = min(random.choice((16, 512, 4096)), len(data) // 2)
    a = random.randrange(len(data) // 2 - length + 1)
    b = random.randrange(len(data) // 2, len(data) - length + 1)
    data[a:a + length], data[b:b + length] = data[b:b + length], data[a:a + length]
    blob.write_bytes(data)


def zero(random, blob, _other):
    data = bytearray(blob.read_bytes())
    length = min(512, len(data))
    start = random.randrange(len(data) - length + 1)
    data[start:start + length] = bytes(length)
    blob.write_bytes(data)


def drop(_random, blob, _other):
    blob.unlink()


def mix(_random, blob, other):
    """The blob of the same name, or of the same kind, of another backup of the same HSM."""
    twin = other / blob.name
    if not twin.exists():
        twin = next(other.glob(blob.name.split("-")[0] + "*"))
    blob.write_bytes(twin.read_bytes())


def trade(random, blob, _other):
    """Another blob of the same backup in its place."""
    rest = [path for path in blobs_of(blob.parent) if path != blob]
    blob.write_bytes(random.choice(rest).read_bytes())


DAMAGES = (flip, flip, flip, cut, grow, swap, zero, drop, mix, trade)


def blobs_of(folder):
    """What a restore reads; neither the manifest's copy nor what the writer tried the storage with."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in ("manifest.copy", "probe"))


class Damage(bench.Case):
    @classmethod
    def prepare(cls):
        cls.raw = cls.folder / "data.img"
        cls.raw.write_bytes(bytes(range(256)) * 2048 + b"\xff" * (1 << 19) + bytes(1 << 19))
        cls.hsm = cls.bench("--partition", f"data={cls.raw}")
        for name in ("one", "two", "three"):
            cls.hsm.create(name)
        cls.hsm.delete("three")
        cls.folders = [cls.hsm.blobs / cls.hsm.backup(cls.hsm.dir_storage)]
        cls.hsm.create("four")
        cls.folders.append(cls.hsm.blobs / cls.hsm.backup(cls.hsm.dir_storage))
        cls.kept = [cls.folder / f"kept{i}" for i in range(2)]
        for folder, kept in zip(cls.folders, cls.kept):
            shutil.copytree(folder, kept)
        cls.hsm.create("five")
        cls.before = cls.hsm.state(raw=[cls.raw])

    def mend(self, i):
        shutil.rmtree(self.folders[i])
        shutil.copytree(self.kept[i], self.folders[i])

    def test_every_damage_is_refused(self):
        random = bench.seed_of("damage")
        for n in range(bench.rounds(ROUNDS)):
            i = random.randrange(2)
            blob = random.choice(blobs_of(self.folders[i]))
            damage = random.choice(DAMAGES)
            pristine = blob.read_bytes()
            damage(random, blob, self.kept[1 - i])
            if blob.exists() and blob.read_bytes() == pristine:
                continue  # two equal ranges traded places
            with self.subTest(round=n, damage=damage.__name__, blob=blob.name):
                status = self.hsm.restore(self.hsm.dir_storage, self.folders[i].name)
                self.assertEqual("Failed", status["status"], status)
                self.assertTrue(status["error"]["message"])
                self.assert_same(self.before, self.hsm.state(raw=[self.raw]))
            self.mend(i)
        for i in range(2):
            status = self.hsm.restore(self.hsm.dir_storage, self.folders[i].name)
            self.assertEqual("Succeeded", status["status"], status)


if __name__ == "__main__":
    bench.main()
