# SPDX-License-Identifier: MIT
"""Search, history, compartments and $everything from outside.
usage: api_search.py PROGRAM"""
import datetime
import sys
import threading
import time
import urllib.parse
import uuid

from server import JSON, Server, tap

PROGRAM = sys.argv[1]
SYSTEM = 'https://example.org/search'


def _ask(status, method, path, body=None, headers=None):
    answer = SERVER.ask(method, path, body, headers)
    wanted = status if isinstance(status, tuple) else (status,)
    assert answer.status in wanted, '%s %s: %r' % (method, path, answer)
    if answer.status >= 400:
        assert answer.codes(), answer
    return answer


def _put(kind, name, /, **members):
    answer = SERVER.ask('PUT', '%s/%s' % (kind, name),
                        {'resourceType': kind, 'id': name, **members})
    assert answer.status in (200, 201), answer
    return answer


def _observation(name, patient, /, **more):
    return _put('Observation', name, status='final', code={'coding': [
        {'system': 'http://loinc.org', 'code': '718-7'}]},
                subject={'reference': 'Patient/' + patient}, **more)


def _mark():
    return 'm%s' % uuid.uuid4().hex


def _ids(path):
    """Ids found, in order, over all pages; each entry is whole and none comes twice."""
    found = []
    for entry in SERVER.entries(path):
        resource = entry['resource']
        assert entry['fullUrl'] == '%s/%s/%s' % (SERVER.base, resource['resourceType'],
                                                 resource['id'])
        assert entry['search']['mode'] == 'match'
        found.append(resource['id'])
    assert len(found) == len(set(found)), found
    return found


def _people(mark, count, **more):
    names = ['%s-%02d' % (mark[:20], number) for number in range(count)]
    for name in names:
        _put('Patient', name, identifier=[{'system': SYSTEM, 'value': mark}], **more)
    return names


# ---- what is found ----

def finds_by_id():
    names = _people(_mark(), 3)
    assert _ids('Patient?_id=' + names[1]) == [names[1]]
    assert sorted(_ids('Patient?_id=%s,%s,unheardof' % (names[0], names[2]))) == \
        [names[0], names[2]]
    assert _ids('Patient?_id=unheardof') == []
    assert _ids('Observation?_id=' + names[1]) == []


def finds_by_identifier_in_each_of_its_forms():
    mark = _mark()
    _put('Patient', mark + '1', identifier=[{'system': SYSTEM, 'value': mark}])
    _put('Patient', mark + '2', identifier=[{'value': mark}])
    _put('Patient', mark + '3', identifier=[{'system': SYSTEM + '/b', 'value': mark}])
    for query, wanted in ((mark, '123'), (SYSTEM + '|' + mark, '1'), ('|' + mark, '2'),
                          (SYSTEM + '/b|' + mark, '3'), (SYSTEM + '|' + mark + ',|' + mark, '12'),
                          (SYSTEM + '|x' + mark, '')):
        found = _ids('Patient?identifier=' + urllib.parse.quote(query, safe=''))
        assert sorted(found) == [mark + each for each in wanted], (query, found)
    assert _ids('Patient?identifier=%s/b%%7C' % SYSTEM) == [mark + '3']
    assert _ids('Patient?identifier=%s&identifier=%s%%7C%s' % (mark, SYSTEM, mark)) == [mark + '1']


def finds_names_by_their_beginning_whatever_the_case_and_accents():
    mark = _mark()
    _put('Patient', mark + '1', name=[{'family': mark + 'Ó Briain', 'given': ['Siân', 'Mary']}])
    _put('Patient', mark + '2', name=[{'family': mark + 'O Brian'}])
    quoted = urllib.parse.quote
    assert sorted(_ids('Patient?family=' + quoted(mark + 'o br'))) == [mark + '1', mark + '2']
    assert _ids('Patient?family=' + quoted(mark.upper() + 'Ó BRIAI')) == [mark + '1']
    assert _ids('Patient?family=' + quoted(mark + 'obr')) == []
    assert mark + '1' in _ids('Patient?given=sian&family=' + mark)
    assert _ids('Patient?name=' + mark + '&given=mary') == [mark + '1']
    assert _ids('Patient?family:exact=' + quoted(mark + 'o brian')) == []
    assert _ids('Patient?family:exact=' + quoted(mark + 'O Brian')) == [mark + '2']


def finds_dates_by_each_prefix():
    mark = _mark()
    for number, born in enumerate(('1970', '1970-03', '1970-03-05', '1971-01-01'), 1):
        _put('Patient', mark + str(number), birthDate=born,
             identifier=[{'system': SYSTEM, 'value': mark}])
    for query, wanted in (('1970-03-05', '3'), ('1970-03', '23'), ('1970', '123'),
                          ('eq1970', '123'), ('ne1970', '4'), ('lt1970-03-05', '12'),
                          ('gt1970-03-05', '124'), ('ge1971', '4'), ('le1970-12-31', '123'),
                          ('sa1970', '4'), ('eb1971', '123'), ('ge1970-03&birthdate=lt1971', '123')):
        found = _ids('Patient?identifier=%s&birthdate=%s' % (mark, query))
        assert sorted(found) == [mark + each for each in wanted], (query, found)
    for wrong in ('yesterday', '1970-13', 'xx1970', '1970-02-30', ''):
        _ask(400, 'GET', 'Patient?birthdate=' + wrong)


def finds_codes_and_references():
    mark = _mark()
    patient = _people(mark, 2)
    _observation(mark + '1', patient[0])
    _observation(mark + '2', patient[1])
    for query in ('subject=Patient/' + patient[0], 'patient=' + patient[0],
                  'patient=Patient/' + patient[0], 'subject:Patient=' + patient[0],
                  'subject=' + urllib.parse.quote('%s/Patient/%s' % (SERVER.base, patient[0])),
                  'patient=%s&code=718-7' % patient[0],
                  'patient=%s&code=http://loinc.org%%7C718-7' % patient[0],
                  'patient=%s&status=final' % patient[0]):
        assert _ids('Observation?' + query) == [mark + '1'], query
    assert sorted(_ids('Observation?patient=%s,%s' % tuple(patient))) == [mark + '1', mark + '2']
    assert _ids('Observation?patient=%s&code=other' % patient[0]) == []
    assert _ids('Observation?patient=%s&patient=%s' % tuple(patient)) == []


def finds_what_was_changed_when():
    mark = _mark()
    names = _people(mark, 2)
    time.sleep(1.1)
    between = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
    time.sleep(1.1)
    _people(mark, 1)
    query = 'Patient?identifier=%s&_lastUpdated=' % mark
    assert _ids(query + 'gt' + between) == [names[0]]
    assert _ids(query + 'lt' + between) == [names[1]]
    _ask(400, 'GET', 'Patient?_lastUpdated=soon')


def forgets_what_is_deleted_or_no_longer_so():
    mark = _mark()
    names = _people(mark, 3)
    _ask((200, 204), 'DELETE', 'Patient/' + names[0])
    _put('Patient', names[1], identifier=[{'system': SYSTEM, 'value': mark + 'x'}])
    assert _ids('Patient?identifier=' + mark) == [names[2]]
    assert _ids('Patient?identifier=%sx' % mark) == [names[1]]
    assert _ids('Patient?_id=' + names[0]) == []
    _people(mark, 3)
    assert sorted(_ids('Patient?identifier=' + mark)) == names


def escapes_are_heeded():
    mark = _mark()
    _put('Patient', mark, identifier=[{'system': SYSTEM, 'value': mark + ',a|b$c\\d'}])
    quoted = urllib.parse.quote(mark + '\\,a\\|b\\$c\\\\d')
    assert _ids('Patient?identifier=' + quoted) == [mark]
    assert _ids('Patient?identifier=%s%%7C%s' % (SYSTEM, quoted)) == [mark]


def hostile_values_find_nothing_and_break_nothing():
    for value in ("'; DROP TABLE resource; --", '%', '_', '*', '"', "' OR '1'='1", 'a' * 20000,
                  '\u202e', '\U0001f600', '\\', '||', '|'):
        for name in ('identifier', 'name', '_id', 'birthdate', 'general-practitioner'):
            answer = SERVER.ask('GET', 'Patient?%s=%s' % (name, urllib.parse.quote(value)))
            assert answer.status in (200, 400, 414, 501), (name, value[:20], answer)
            if answer.status == 200:
                assert answer.json.get('entry', []) == [], (name, value[:20], answer)


def refuses_what_it_does_not_know():
    for query in ('unheardof=1', 'name:unheardof=a', 'identifier:exact=a', '_count=-1', '_count=a',
                  '_sort=unheardof', '_cursor=tampered', '_total=some', 'birthdate:exact=1970',
                  'organization.unheardof=x', '_has:Observation:patient:unheardof=1',
                  '_include=Patient:unheardof', '_contained=perhaps', '_query=a', '_filter=a',
                  '_list=$current-problems', '=a', '&unheardof', 'name'):
        answer = _ask(400, 'GET', 'Patient?' + query)
        assert 'issue' in answer.json
    _ask(400, 'POST', 'Patient/_search', 'unheardof=1',
         {'Content-Type': 'application/x-www-form-urlencoded'})


def long_lists_take_no_longer_than_short_ones():
    form = {'Content-Type': 'application/x-www-form-urlencoded'}
    mark = _mark()
    _people(mark, 2)
    started = time.monotonic()
    _ask(413, 'POST', '_search', '_type=' + ','.join(['Patient', 'Basic'] * 50000), form)
    types = '_type=' + ','.join(['Patient', 'Basic'] * 500)
    _ask(200, 'POST', '_search', types + '&_count=2', form)
    _ask(200, 'POST', '_search', types + '&' + types + '&_count=2', form)
    _ask(400, 'POST', 'Patient/_search', '_elements=' + ','.join(['name'] * 100000), form)
    assert time.monotonic() - started < 10
    bundle = _ask(200, 'GET', 'Patient?identifier=%s&_elements=%s' % (mark, ','.join(
        ['name'] * 1000))).json
    assert len(bundle['entry']) == 2, bundle


def lenient_handling_says_what_it_ignored():
    mark = _mark()
    names = _people(mark, 1)
    bundle = _ask(200, 'GET', 'Patient?identifier=%s&unheardof=1' % mark,
                  headers={'Prefer': 'handling=lenient'}).json
    self_link = [link['url'] for link in bundle['link'] if link['relation'] == 'self'][0]
    assert 'unheardof' not in self_link and mark in self_link, self_link
    modes = [entry['search']['mode'] for entry in bundle['entry']]
    assert modes.count('match') == 1 and bundle['entry'][0]['resource']['id'] == names[0], bundle


def a_form_asks_the_same():
    mark = _mark()
    names = _people(mark, 3)
    form = {'Content-Type': 'application/x-www-form-urlencoded'}
    answer = _ask(200, 'POST', 'Patient/_search', 'identifier=%s&_count=2' % mark, form)
    assert len(answer.json['entry']) == 2, answer
    follow = [link['url'] for link in answer.json['link'] if link['relation'] == 'next']
    rest = _ask(200, 'GET', follow[0][len('http://127.0.0.1:%d' % SERVER.port):]).json
    got = [entry['resource']['id'] for entry in answer.json['entry'] + rest['entry']]
    assert sorted(got) == names
    both = _ask(200, 'POST', 'Patient/_search?identifier=' + mark, '_id=' + names[1], form).json
    assert [entry['resource']['id'] for entry in both['entry']] == [names[1]]
    _ask((400, 415), 'POST', 'Patient/_search', '{"a":1}', {'Content-Type': JSON})


# ---- pages ----

def pages_hold_each_resource_once():
    mark = _mark()
    names = _people(mark, 23)
    for count in (1, 5, 23, 100):
        pages = list(SERVER.pages('Patient?identifier=%s&_count=%d' % (mark, count)))
        assert sorted(entry['resource']['id'] for page in pages
                      for entry in page['entry']) == names, count
        assert len(pages) == -(-23 // count), (count, len(pages))
    for page in SERVER.pages('Patient?identifier=%s&_count=5&_total=accurate' % mark):
        assert page['total'] == 23 and page['type'] == 'searchset'
        assert [link for link in page['link'] if link['relation'] == 'self']


def counting_sends_no_resource():
    mark = _mark()
    _people(mark, 4)
    for query in ('_count=0', '_summary=count'):
        bundle = _ask(200, 'GET', 'Patient?identifier=%s&%s' % (mark, query)).json
        assert bundle['total'] == 4 and 'entry' not in bundle, bundle
        assert 'next' not in [link['relation'] for link in bundle.get('link', [])], bundle


def sorts_over_pages():
    mark = _mark()
    for number, born in enumerate(('1970-01-03', '1970-01-01', '1970-01-02', None, '1970-01-01')):
        _put('Patient', mark + str(number), identifier=[{'system': SYSTEM, 'value': mark}],
             **({'birthDate': born} if born else {}))
    query = 'Patient?identifier=%s&_count=2&_sort=' % mark
    rising = [name[-1] for name in _ids(query + 'birthdate')]
    assert [each for each in rising if each != '3'] in (list('1420'), list('4120')), rising
    falling = [name[-1] for name in _ids(query + '-birthdate')]
    assert [each for each in falling if each != '3'] in (list('0214'), list('0241')), falling
    assert [name[-1] for name in _ids(query + '_lastUpdated')] == list('01234')
    assert [name[-1] for name in _ids(query + '-_lastUpdated')] == list('43210')


def pages_stay_whole_while_others_write():
    mark = _mark()
    names = _people(mark, 40)
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            _put('Patient', '%s-n%d' % (mark[:20], number),
                 identifier=[{'system': SYSTEM, 'value': mark}])
            _put('Patient', names[number % 40], active=bool(number % 80 < 40),
                 identifier=[{'system': SYSTEM, 'value': mark}])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            # Only 40 are sure to be there throughout; none of these may be missing or come twice.
            found = [entry['resource']['id'] for page in _first_pages(mark, 100) for entry in page]
            assert len(found) == len(set(found)), 'one came twice'
            missing = [name for name in names if name not in found]
            assert not missing, missing
    finally:
        stop.set()
        writer.join()


def _first_pages(mark, most):
    pages = []
    for bundle in SERVER.pages('Patient?identifier=%s&_count=7' % mark):
        pages.append(bundle.get('entry', []))
        assert len(pages) < most, 'paging does not end'
    return pages


def a_cursor_of_another_search_is_refused():
    mark = _mark()
    _people(mark, 3)
    bundle = _ask(200, 'GET', 'Patient?identifier=%s&_count=1' % mark).json
    follow = [link['url'] for link in bundle['link'] if link['relation'] == 'next'][0]
    cursor = dict(urllib.parse.parse_qsl(follow.split('?')[1]))['_cursor']
    for spoilt in (cursor[:-1], cursor + 'A', 'A' * len(cursor), cursor[1:], cursor.upper(), ''):
        answer = SERVER.ask('GET', 'Patient?identifier=%s&_count=1&_cursor=%s' % (
            mark, urllib.parse.quote(spoilt)))
        assert answer.status in (200, 400, 410), answer
    _ask((200, 400), 'GET', 'Observation?_count=1&_cursor=' + urllib.parse.quote(cursor))


def elements_and_summaries_hold_for_pages():
    mark = _mark()
    _people(mark, 2, gender='female', birthDate='1970-01-01')
    for entry in SERVER.entries('Patient?identifier=%s&_elements=gender&_count=1' % mark):
        assert 'gender' in entry['resource'] and 'birthDate' not in entry['resource'], entry
        assert 'SUBSETTED' in [tag['code'] for tag in entry['resource']['meta']['tag']], entry


def many_values_and_parameters_end_in_an_answer():
    values = ','.join('v%d' % number for number in range(3000))
    answer = SERVER.ask('GET', 'Patient?identifier=' + values)
    assert answer.status in (200, 400, 413, 414), answer
    answer = SERVER.ask('GET', 'Patient?' + '&'.join(['identifier=a'] * 1000))
    assert answer.status in (200, 400, 413, 414), answer
    answer = SERVER.ask('POST', 'Patient/_search',
                        'identifier=' + ','.join('v%d' % number for number in range(200000)),
                        {'Content-Type': 'application/x-www-form-urlencoded'})
    assert answer.status in (200, 400, 413, 414), answer
    assert _ask(200, 'GET', 'metadata')


# ---- history ----

def history_of_one_is_newest_first_with_its_deletions():
    name = _mark()
    _put('Patient', name, gender='male')
    _put('Patient', name, gender='female')
    _ask((200, 204), 'DELETE', 'Patient/' + name)
    bundle = _ask(200, 'GET', 'Patient/%s/_history' % name).json
    assert bundle['type'] == 'history' and bundle['total'] == 3
    methods = [entry['request']['method'] for entry in bundle['entry']]
    assert methods == ['DELETE', 'PUT', 'PUT'], methods
    assert 'resource' not in bundle['entry'][0]
    assert [entry['response']['etag'] for entry in bundle['entry']] == ['W/"3"', 'W/"2"', 'W/"1"']
    assert [entry['resource']['gender'] for entry in bundle['entry'][1:]] == ['female', 'male']
    assert bundle['entry'][2]['response']['status'].startswith('201')
    assert bundle['entry'][0]['request']['url'] == 'Patient/' + name
    for entry in bundle['entry']:
        assert entry['fullUrl'] == '%s/Patient/%s' % (SERVER.base, name), entry
    _ask(404, 'GET', 'Patient/%s/_history' % _mark())


def history_pages_and_narrows():
    name = _mark()
    for number in range(12):
        _put('Patient', name, multipleBirthInteger=number)
    pages = list(SERVER.pages('Patient/%s/_history?_count=5' % name))
    assert [len(page['entry']) for page in pages] == [5, 5, 2]
    versions = [int(entry['resource']['meta']['versionId']) for page in pages
                for entry in page['entry']]
    assert versions == list(range(12, 0, -1)), versions
    middle = pages[1]['entry'][0]['resource']['meta']['lastUpdated']
    since = SERVER.entries('Patient/%s/_history?_since=%s' % (name, middle))
    later = [entry['resource']['meta']['versionId'] for page in pages for entry in page['entry']
             if entry['resource']['meta']['lastUpdated'] >= middle]
    assert [entry['resource']['meta']['versionId'] for entry in since] == later, since
    at = SERVER.entries('Patient/%s/_history?_at=%s' % (name, middle))
    assert '7' in [entry['resource']['meta']['versionId'] for entry in at], at
    assert SERVER.entries('Patient/%s/_history?_since=2999-01-01T00:00:00Z' % name) == []
    for wrong in ('_since=soon', '_since=2020', '_at=x', '_count=-1', 'unheardof=1',
                  '_cursor=tampered', '_since=2020-01-01T00:00:00Z&_since=2021-01-01T00:00:00Z'):
        _ask(400, 'GET', 'Patient/%s/_history?%s' % (name, wrong))


def history_of_type_and_system_hold_every_change():
    name = _mark()
    _put('Device', name)
    _put('Device', name, manufacturer='a')
    _put('Location', name)
    _ask((200, 204), 'DELETE', 'Device/' + name)
    of_type = [entry['request']['method'] for entry in SERVER.entries('Device/_history?_count=2')]
    assert of_type == ['DELETE', 'PUT', 'PUT'], of_type
    of_all = SERVER.entries('_history?_count=100')
    assert [entry['fullUrl'].split('/')[-2] for entry in of_all[:4]] == \
        ['Device', 'Location', 'Device', 'Device']
    stamps = [entry['response']['lastModified'] for entry in of_all]
    assert stamps == sorted(stamps, reverse=True)


def history_pages_stay_whole_while_others_write():
    name = _mark()
    for number in range(30):
        _put('Substance', '%s-%d' % (name[:20], number), code={'text': 'x'})
    first = _ask(200, 'GET', 'Substance/_history?_count=7').json
    for number in range(30, 50):
        _put('Substance', '%s-%d' % (name[:20], number), code={'text': 'x'})
    follow = [link['url'] for link in first['link'] if link['relation'] == 'next'][0]
    rest = SERVER.entries(follow[len('http://127.0.0.1:%d' % SERVER.port):])
    found = [entry['fullUrl'] for entry in first['entry'] + rest]
    assert len(found) == 30 == len(set(found)), len(found)


# ---- one person ----

def _person(mark):
    patient = mark + 'p'
    _put('Patient', patient, generalPractitioner=[{'reference': 'Practitioner/%sd' % mark}])
    _put('Practitioner', mark + 'd')
    for number in range(7):
        _observation('%so%d' % (mark, number), patient)
    _put('Condition', mark + 'c', subject={'reference': 'Patient/' + patient})
    return patient


def everything_is_of_one_person_and_of_nobody_else():
    mark, other = _mark(), _mark()
    patient = _person(mark)
    _person(other)
    for query in ('', '?_count=3'):
        found = ['%s/%s' % (entry['resource']['resourceType'], entry['resource']['id'])
                 for entry in SERVER.entries('Patient/%s/$everything%s' % (patient, query))]
        assert len(found) == len(set(found)), found
        own = [name for name in found if not name.startswith('Practitioner/')]
        assert sorted(own) == sorted(
            ['Patient/' + patient, 'Condition/%sc' % mark]
            + ['Observation/%so%d' % (mark, number) for number in range(7)]), found
        assert not [name for name in found if other in name]
    some = SERVER.entries('Patient/%s/$everything?_type=Condition' % patient)
    assert [entry['resource']['id'] for entry in some] == [mark + 'c'], some
    _ask(404, 'GET', 'Patient/%s/$everything' % _mark())
    _ask(400, 'GET', 'Patient/%s/$everything?unheardof=1' % patient)


def compartments_search_within_one_person():
    mark, other = _mark(), _mark()
    patient = _person(mark)
    _person(other)
    assert len(_ids('Patient/%s/Observation?_count=2' % patient)) == 7
    assert _ids('Patient/%s/Observation?_id=%so3' % (patient, mark)) == [mark + 'o3']
    assert _ids('Patient/%s/Observation?_id=%so3' % (patient, other)) == []
    everything = SERVER.entries('Patient/%s/*' % patient)
    assert not [entry for entry in everything if other in entry['fullUrl']]
    assert len(everything) >= 8
    _ask((200, 404), 'GET', 'Patient/%s/Observation' % _mark())
    _ask((400, 404), 'GET', 'Patient/%s/Unheardof' % patient)


def the_system_is_searched_by_what_all_types_share():
    mark = _mark()
    _put('Substance', mark, code={'text': 'x'})
    _put('Device', mark)
    kinds = {entry['resource']['resourceType'] for entry in
             SERVER.entries('?_type=Substance,Device&_count=3')}
    assert kinds == {'Device', 'Substance'}, kinds
    found = SERVER.entries('?_type=Device')
    assert mark in [entry['resource']['id'] for entry in found], found
    _ask(400, 'GET', '?_count=1')
    _ask(400, 'GET', '?_type=Patient,Device&name=x')
    _ask(400, 'GET', '?_type=Unheardof&_id=x')


def a_resource_follows_its_subject():
    mark = _mark()
    one, two = _people(mark, 2)
    _observation(mark, one)
    assert _ids('Observation?patient=' + one) == [mark]
    _observation(mark, two)
    assert _ids('Observation?patient=' + one) == []
    assert _ids('Observation?patient=' + two) == [mark]
    assert [entry['resource']['meta']['versionId'] for entry in
            SERVER.entries('Observation/%s/_history' % mark)] == ['2', '1']
    assert _ask(200, 'GET', 'Observation/%s/_history/1' % mark).json['subject'] == {
        'reference': 'Patient/' + one}


with Server(PROGRAM, '--reserve', '8M') as SERVER:
    CODE = tap.run(sys.modules[__name__])
sys.exit(CODE)
