"""The model store: whole or not at all, verified on every reading, nothing lost."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ares.adapters.durable import write_file, write_folder
from ares.adapters.model_bundle import export, install, read_bundle
from ares.adapters.model_store import ModelStore
from ares.domain.errors import ExternalError, UserError
from ares.domain.model import Ensemble
from ares.domain.package import Package, card_bytes, sealed, sha256

MakePackage = Callable[..., Package]
MakeEnsemble = Callable[..., Ensemble]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_package_comes_back_as_it_went_in(store: ModelStore, package: MakePackage) -> None:
    kept = store.add(package())
    assert kept == package()
    assert store.load("binance_BTC-USDT_1h", "20230420_120000") == kept
    folder = store.folder(kept.card)
    assert sorted(p.name for p in folder.iterdir()) == ["model.json", "model.onnx", "training.png"]
    assert sorted(p.name for p in folder.parent.iterdir()) == ["20230420_120000"]


def test_a_version_that_is_taken_gets_a_suffix(store: ModelStore, package: MakePackage) -> None:
    first = store.add(package())
    second, third = store.add(package(graph=b"other")), store.add(package())
    assert [one.card.version for one in (second, third)] == [
        "20230420_120000_2",
        "20230420_120000_3",
    ]
    assert store.load(first.card.name, first.card.version) == first
    assert store.load(second.card.name, second.card.version).graph == b"other"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "model.onnx").write_bytes(b"grapH"), "model.onnx is damaged"),
        (lambda f: (f / "training.png").unlink(), "training.png is missing"),
        (lambda f: (f / "model.json").unlink(), "has no model.json"),
        (lambda f: (f / "model.json").write_bytes(b"{"), "is not a package's card"),
        (lambda f: (f / "model.json").write_bytes(b"[1]"), "is not a package's card"),
        (
            lambda f: (f / "model.json").write_bytes(
                (f / "model.json").read_bytes().replace(b"22.0", b" 22.0")
            ),
            "was edited, .*: restore it from an export, or train again",
        ),
        (lambda f: f.rename(f.parent / "20230421_000000"), "but lies in"),
    ],
)
def test_damage_is_found_named_and_hides_nothing_else(
    store: ModelStore,
    package: MakePackage,
    harm: Callable[[Path], object],
    message: str,
) -> None:
    bad, good = store.add(package()), store.add(package("binance_ETH-USDT_1h"))
    folder = store.folder(bad.card)
    harm(folder)
    name = next(p.name for p in folder.parent.iterdir())
    with pytest.raises(ExternalError, match=message) as caught:
        store.load(bad.card.name, name)
    assert "\n" not in str(caught.value)
    listed = store.listed()
    assert good.card in listed.packages
    if "model.onnx" not in message and "training.png" not in message:
        assert listed.packages == (good.card,)
        assert len(listed.problems) == 1


def test_a_changed_number_in_a_card_is_another_package(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    kept = store.add(package())
    member = ensemble(kept).members[0]
    assert store.member(member) == kept
    edited = msgspec.structs.replace(kept.card, cost_bps=1.0)
    (store.folder(kept.card) / "model.json").write_bytes(card_bytes(edited))
    with pytest.raises(ExternalError, match="has changed since its ensemble was made"):
        store.member(member)


def test_a_changed_number_in_the_card_of_a_package_named_by_itself_is_found(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    kept, good = store.add(package()), store.add(package("binance_ETH-USDT_1h"))
    store.save_ensemble(ensemble(kept))
    edited = msgspec.structs.replace(kept.card, gain=1.9)
    (store.folder(kept.card) / "model.json").write_bytes(card_bytes(edited))
    for ref in (kept.card.ref, kept.card.name):
        with pytest.raises(ExternalError, match="has changed since its ensemble was made"):
            store.resolve(ref)
    listed = store.listed()
    assert listed.packages == (good.card,)
    assert listed.hashes == (good.hash,)
    assert "has changed since its ensemble was made" in listed.problems[0]


def test_a_card_that_an_older_version_wrote_out_is_read_under_its_own_hash(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble, tmp_path: Path
) -> None:
    made = package()
    raw = msgspec.json.decode(card_bytes(made.card)) | {"path_interval": None, "verdict": None}
    old = msgspec.json.format(msgspec.json.encode(raw, order="sorted"), indent=2) + b"\n"
    folder = store.folder(made.card)
    write_folder(folder, {**made.files, "model.json": old})
    read = store.load(made.card.name, made.card.version)
    assert read.card == made.card
    assert read.content == old
    assert read.hash == sha256(old) != made.hash
    joined = ensemble(read)
    store.save_ensemble(joined)
    assert store.member(joined.members[0]) == read
    assert store.listed().hashes == (sha256(old),)
    assert store.listed().problems == ()
    there = ModelStore(tmp_path / "there")  # it goes on its way in the bytes that it has
    export(store, joined.hash, tmp_path / "old.zip")
    install(there, read_bundle(tmp_path / "old.zip"))
    assert (there.folder(made.card) / "model.json").read_bytes() == old
    (folder / "model.json").write_bytes(old.replace(b'"gain": 0.8', b'"gain": 0.9'))
    with pytest.raises(ExternalError, match="has changed since its ensemble was made"):
        store.member(joined.members[0])


def test_a_card_with_invalid_values_is_refused_and_listed_as_a_problem(
    store: ModelStore, package: MakePackage
) -> None:
    card = msgspec.structs.replace(package().card, horizon_bars=0)
    write_folder(store.folder(card), {**package().files, "model.json": card_bytes(card)})
    with pytest.raises(ExternalError, match="has invalid values"):
        store.load(card.name, card.version)
    assert len(store.listed().problems) == 1


def test_a_missing_file_is_shown_in_the_list(store: ModelStore, package: MakePackage) -> None:
    kept = store.add(package())
    (store.folder(kept.card) / "model.onnx").unlink()
    listed = store.listed()
    assert listed.packages == (kept.card,)
    assert "model.onnx is missing" in listed.problems[0]
    with pytest.raises(UserError, match=r"these are damaged.*model\.onnx is missing"):
        store.resolve("BTC/USDT")


def test_a_beginning_of_two_hashes_names_neither_and_a_whole_one_that_is_gone_is_missing(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    kept = store.add(package())
    by_start: dict[str, Ensemble] = {}
    for second in range(100_000):
        one = ensemble(kept, created_at=str(second))
        other = by_start.setdefault(one.hash[:4], one)
        if other is not one:
            break
    store.save_ensemble(one)
    store.save_ensemble(other)
    with pytest.raises(UserError, match="beginning of several ensembles"):
        store.resolve(one.hash[:4])
    assert store.resolve(one.hash[:20]) == one
    store.ensemble_path(one).unlink()
    with pytest.raises(ExternalError, match=f"ensemble {one.hash[:12]} is missing"):
        store.ensemble(one.hash)


def test_a_card_cannot_name_a_file_outside_its_folder(
    store: ModelStore, package: MakePackage, tmp_path: Path
) -> None:
    kept = store.add(package())
    (tmp_path / "secret").write_text("x")
    card = sealed(kept.card, {"model.onnx": b"graph", "../../../../secret": b"x"}).card
    (store.folder(kept.card) / "model.json").write_bytes(card_bytes(card))
    with pytest.raises(ExternalError, match="lists a file outside its folder"):
        store.load(kept.card.name, kept.card.version)


def test_names_are_found_and_near_misses_are_named(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    old, new = store.add(package()), store.add(package(version="20230501_000000"))
    joined = ensemble(old)
    store.save_ensemble(joined)
    assert store.resolve("binance_BTC-USDT_1h") == new
    assert store.resolve("binance_BTC-USDT_1h/20230420_120000") == old
    for name in (joined.hash, joined.hash[:8], "binance:BTC/USDT", "BTC/USDT"):
        assert store.resolve(name) == joined
    with pytest.raises(UserError, match=r"did you mean binance_BTC-USDT_1h/20230420_120000\?"):
        store.resolve("binance_BTC-USDT_1h/20230420_120001")
    for odd in ("", "..", "../..", "/", "a/b/c"):
        with pytest.raises(UserError, match="no model"):
            store.resolve(odd)
    with pytest.raises(UserError, match="`ares train` makes models, `ares models list` shows all"):
        store.resolve("zzz")


def test_ensembles_are_kept_under_their_hash_and_the_newest_is_the_candidate(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    kept = store.add(package())
    old = ensemble(kept, created_at="2023-04-20T12:00:00Z")
    new = ensemble(kept, created_at="2023-05-20T12:00:00Z")
    path = store.save_ensemble(new)
    store.save_ensemble(old)
    assert path.stem == new.hash
    assert store.newest_candidate("binance:BTC/USDT") == new
    assert store.newest_candidate("binance:ETH/USDT") is None
    assert store.ensemble(old.hash[:10]) == old
    path.write_bytes(path.read_bytes().replace(b"22.0", b"21.0"))
    with pytest.raises(ExternalError, match="was changed since it was made"):
        store.ensemble(new.hash)
    listed = store.listed()
    assert listed.ensembles == (old,)
    assert len(listed.problems) == 1
    with pytest.raises(UserError, match="no ensembles begin with 'ffff'"):
        store.ensemble("ffff")


def test_a_symbol_means_what_a_training_made_before_lone_and_imported_models(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> None:
    key = "binance:BTC/USDT"
    kept = store.add(package())
    foreign = package(version="20230601_120000")
    foreign = store.add(
        sealed(msgspec.structs.replace(foreign.card, origin="imported"), foreign.files)
    )
    joined = msgspec.structs.replace(ensemble(kept), platt_a=0.9)
    alone = ensemble(kept, created_at="2023-05-20T12:00:00Z")
    imported = ensemble(foreign, created_at="2023-06-20T12:00:00Z")
    for k, one in enumerate((imported, alone, joined)):
        store.save_ensemble(one)
        assert store.newest_candidate(key) == (imported, alone, joined)[k]
        assert store.resolve("BTC/USDT") == store.resolve(key) == (imported, alone, joined)[k]
    assert store.newest_candidate(key, without={joined.hash}) == alone
    assert store.newest_candidate(key, without={joined.hash, alone.hash}) == imported
    assert store.resolve(imported.hash[:8]) == imported


@pytest.mark.parametrize("odd", ["*", "????", "[0-9a-f]*", "../../x", "ABCD", "", "12"])
def test_a_hash_is_no_pattern(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble, odd: str
) -> None:
    store.save_ensemble(ensemble(store.add(package())))
    with pytest.raises(UserError, match="no ensembles begin with"):
        store.ensemble(odd)
    if odd:
        with pytest.raises(UserError, match="no model"):
            store.resolve(odd)


def test_an_empty_store_lists_nothing(store: ModelStore) -> None:
    listed = store.listed()
    assert (listed.packages, listed.ensembles, listed.problems) == ((), (), ())


def test_a_writing_that_fails_leaves_what_was_there(
    tmp_path: Path, package: MakePackage, store: ModelStore
) -> None:
    target = tmp_path / "file"
    write_file(target, b"old")
    assert not write_folder(store.folder(store.add(package()).card), {"model.json": b"new"})
    with pytest.raises(TypeError):
        write_file(target, "text")  # type: ignore[arg-type]  # a wrong type is the test
    with pytest.raises(TypeError):
        write_folder(tmp_path / "folder", {"a": b"1", "b": None})  # type: ignore[dict-item]  # the same
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "models"]


def test_a_disk_that_takes_no_more_leaves_nothing_half_written(
    tmp_path: Path, package: MakePackage
) -> None:
    store = ModelStore(tmp_path / "models")
    before = store.add(package())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))  # also for root, as a full disk is
    try:
        with pytest.raises(OSError, match="File too large"):
            store.add(package(version="20230421_120000"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    folder = store.folder(before.card).parent
    assert [place.name for place in folder.iterdir()] == [before.card.version]
    assert store.load(before.card.name, before.card.version) == before


def test_a_place_that_cannot_be_written_is_an_os_error_for_the_command_line(
    package: MakePackage,
) -> None:
    with pytest.raises(OSError, match="/proc"):
        ModelStore(Path("/proc/ares")).add(package())
