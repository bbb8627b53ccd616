import pytest

from mluke_core.miniature.facts import (
    FIRST_INVENTED_QID,
    LANGUAGES,
    RELATIONS,
    Fact,
    capitalize_first,
    entity_key,
    load_world,
)


@pytest.fixture(scope="module")
def world():
    return load_world()


def test_size_and_kinds(world):
    at_least = {
        "country": 60,
        "city": 90,
        "river": 25,
        "person": 70,
        "work": 30,
        "organisation": 35,
        "language": 25,
        "continent": 6,
        "occupation": 15,
    }
    for kind, number in at_least.items():
        assert len(world.by_kind(kind)) >= number, kind
    assert len(world.facts) > 1000
    assert {fact.relation for fact in world.facts} == set(RELATIONS)


def test_every_entity_has_a_name_and_a_title_in_every_language(world):
    for entity in world.entities.values():
        assert set(entity.names) == set(LANGUAGES) == set(entity.titles)
        assert all(name == name.strip() != "" for name in entity.names.values()), entity.key
        assert entity.key == entity_key(entity.names["en"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_titles_and_aliases_are_unique_in_a_language(world, language):
    titles = [entity.titles[language] for entity in world.entities.values()]
    aliases = [
        capitalize_first(alias, language)
        for entity in world.entities.values()
        for alias in entity.aliases.get(language, ())
    ]
    assert len(titles + aliases) == len(set(titles + aliases))
    for title in titles + aliases:
        assert not set(title) & set("[]{}|#<>_\n\t"), title
        assert len(title.encode()) <= 255


def test_qids_are_unique_and_invented_ones_are_marked(world):
    qids = [entity.qid for entity in world.entities.values()]
    assert len(qids) == len(set(qids))
    invented = [qid for qid in qids if qid > 200_000_000]
    assert invented and min(invented) >= FIRST_INVENTED_QID
    known = {"japan": 17, "germany": 183, "istanbul": 406, "albert_einstein": 937, "rhine": 584}
    for key, qid in known.items():
        assert world.entities[key].qid == qid


def test_facts_go_both_ways_and_occur_once(world):
    facts = set(world.facts)
    assert len(facts) == len(world.facts)
    for fact in world.by_relation("P47") + world.by_relation("P26"):
        assert Fact(fact.object, fact.relation, fact.subject) in facts
    assert world.objects("germany", "P36") == ["berlin"]
    assert world.objects("berlin", "P1376") == ["germany"]
    assert "france" in world.objects("germany", "P47")
    assert "germany" in world.subjects("P37", "german")
    assert world.objects("berlin", "P36") == []
    assert world.facts_of("berlin") == [fact for fact in world.facts if fact.subject == "berlin"]
    assert world.facts_about("berlin") == [fact for fact in world.facts if fact.object == "berlin"]


def test_relations_join_the_right_kinds(world):
    kinds = {
        "P36": ("country", "city"),
        "P30": ("country", "continent"),
        "P37": ("country", "language"),
        "P19": ("person", "city"),
        "P27": ("person", "country"),
        "P106": ("person", "occupation"),
        "P103": ("person", "language"),
        "P50": ("work", "person"),
        "P112": ("organisation", "person"),
        "P740": ("organisation", "city"),
        "P206": ("city", "river"),
        "P463": ("country", "organisation"),
    }
    for relation, (subject, object_) in kinds.items():
        for fact in world.by_relation(relation):
            assert world.entities[fact.subject].kind == subject, fact
            assert world.entities[fact.object].kind == object_, fact


def test_turkish_casing(world):
    assert world.title("istanbul", "tr") == "İstanbul"
    assert world.title("igdir", "tr") == "Iğdır"
    assert capitalize_first("izmir", "tr") == "İzmir"
    assert capitalize_first("ığdır", "tr") == "Iğdır"
    assert capitalize_first("izmir", "en") == "Izmir"
    assert capitalize_first("ß", "de") == "ß"
    assert capitalize_first("", "de") == ""
