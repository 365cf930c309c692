# SPDX-License-Identifier: MIT
"""The whole of R4 search from outside: chains, _has, includes, modifiers, compartments, $everything
by dates, $lastn. Each question stands with the ids that it must find.
usage: api_find.py PROGRAM"""
import sys
import urllib.parse
import uuid

from server import Server, tap

PROGRAM = sys.argv[1]
CLINICAL = 'http://terminology.hl7.org/CodeSystem/%s-clinical'
FORM = {'Content-Type': 'application/x-www-form-urlencoded'}


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


def _to(kind, name):
    return {'reference': '%s/%s' % (kind, name)}


def _code(code, system='http://loinc.org', **more):
    return {'coding': [{'system': system, 'code': code}], **more}


def _quoted(query):
    return '&'.join('='.join(urllib.parse.quote(part, safe=':.$_-*')
                             for part in one.split('=', 1)) for one in query.split('&'))


def _found(path, query='', mode='match'):
    """Type/id of every entry of this mode over all pages, sorted; none comes twice."""
    found = [entry for entry in SERVER.entries(path + ('?' + _quoted(query) if query else ''))
             if entry['search']['mode'] == mode]
    names = ['/'.join(entry['fullUrl'].split('/')[-2:]) for entry in found]
    for entry, name in zip(found, names):
        assert entry['resource']['resourceType'] + '/' + entry['resource']['id'] == name
    assert len(names) == len(set(names)), names
    return sorted(names)


def _ids(path, query=''):
    return [name.split('/')[1] for name in _found(path, query)]


def _check(rows):
    for path, query, wanted in rows:
        found = _ids(path, query)
        assert found == sorted(wanted.split()), '%s?%s found %s, not %s' % (path, query, found,
                                                                           wanted)


def _world():
    """The people of the questions below."""
    _put('Organization', 'acme', name='Acme Hospital', identifier=[
        {'system': 'http://org', 'value': 'a1'}])
    _put('Organization', 'byte', name='Byte Clinic', partOf=_to('Organization', 'acme'))
    _put('Practitioner', 'joe', name=[{'family': 'Joe'}], address=[{'state': 'CA'}])
    _put('Practitioner', 'jane', name=[{'family': 'Jane'}], address=[{'state': 'MN'}])
    _put('Patient', 'peter', name=[{'family': 'Chalmers', 'given': ['Peter']}], gender='male',
         birthDate='1974-12-25', managingOrganization=_to('Organization', 'byte'),
         generalPractitioner=[_to('Practitioner', 'joe'), _to('Practitioner', 'jane')],
         identifier=[{'type': _code('MR', 'http://terminology.hl7.org/CodeSystem/v2-0203'),
                      'system': 'http://mrn', 'value': '446053'}],
         meta={'tag': [{'system': 'http://acme.org/codes', 'code': 'needs-review'}],
               'profile': ['http://x/profile'], 'source': 'http://x/source',
               'security': [{'system': 'http://x/labels', 'code': 'R'}]},
         text={'status': 'generated', 'div':
               '<div xmlns="http://www.w3.org/1999/xhtml">renal failure</div>'})
    _put('Patient', 'anna', name=[{'family': 'Peterson', 'given': ['Anna']}], gender='female',
         birthDate='1980', managingOrganization=_to('Organization', 'acme'),
         identifier=[{'system': 'http://mrn', 'value': '446053'}])
    _put('Group', 'g102', type='person', actual=True, member=[{'entity': _to('Patient', 'peter')}])
    _put('Encounter', 'e1', status='finished', **{'class': {'code': 'AMB'}},
         subject=_to('Patient', 'peter'), period={'start': '2019-02-01', 'end': '2019-02-02'},
         participant=[{'individual': _to('Practitioner', 'joe')}])
    _put('Encounter', 'e2', status='finished', **{'class': {'code': 'AMB'}},
         subject=_to('Patient', 'anna'), period={'start': '2020-05-01'})
    for name, patient, code, value, when, by in (
            ('o1', 'peter', '11557-6', 6.2, '2019-02-01', 'joe'),
            ('o2', 'peter', '11557-6', 5.9, '2020-02-01', 'jane'),
            ('o3', 'anna', '11557-6', 6.3, '2020-02-02', 'joe'),
            ('o4', 'anna', '2823-3', 4.1, '2020-05-01', 'jane')):
        _put('Observation', name, status='final', code=_code(code, text='Some gas'),
             category=[_code('laboratory', 'http://category')],
             subject=_to('Patient', patient), effectiveDateTime=when,
             performer=[_to('Practitioner', by)],
             valueQuantity={'value': value, 'unit': 'kPa', 'system': 'http://unitsofmeasure.org',
                            'code': 'kPa'},
             **({'encounter': _to('Encounter', 'e1')} if name == 'o1' else {}))
    _put('DiagnosticReport', 'r1', status='final', code=_code('24323-8'),
         subject=_to('Patient', 'peter'), result=[_to('Observation', 'o1')])
    _put('DiagnosticReport', 'r2', status='final', code=_code('24323-8'),
         subject=_to('Patient', 'anna'), result=[_to('Observation', 'o3')])
    _put('Condition', 'c1', subject=_to('Patient', 'peter'), code=_code('ha125', 'http://acme.org'),
         clinicalStatus=_code('active', CLINICAL % 'condition'), onsetDateTime='2010-01-01')
    _put('Condition', 'c2', subject=_to('Patient', 'peter'), code=_code('ha126', 'http://acme.org'),
         clinicalStatus=_code('resolved', CLINICAL % 'condition'), onsetDateTime='2010-01-01',
         abatementDateTime='2011-01-01')
    _put('AllergyIntolerance', 'a1', patient=_to('Patient', 'peter'), recordedDate='2001-01-01',
         clinicalStatus=_code('active', CLINICAL % 'allergyintolerance'))
    _put('List', 'l1', status='current', mode='working', entry=[{'item': _to('Condition', 'c2')}])
    _put('Provenance', 'p1', target=[_to('Observation', 'o1')], recorded='2019-02-01T10:00:00Z',
         agent=[{'who': _to('Practitioner', 'joe')}])
    _put('Location', 'north', name='North', position={'longitude': -83.69, 'latitude': 42.25})
    _put('Location', 'ward', name='Ward', partOf=_to('Location', 'north'))
    _put('Location', 'bed', name='Bed', partOf=_to('Location', 'ward'))


# ---- chains ----

def follows_references_to_what_they_lead_to():
    _check((
        ('DiagnosticReport', 'subject:Patient.name=peter', 'r1 r2'),
        ('DiagnosticReport', 'subject:Patient.given=peter', 'r1'),
        ('DiagnosticReport', 'subject.family=chalmers', 'r1'),
        ('DiagnosticReport', 'subject:Patient.family:exact=peterson', ''),
        ('Patient', 'general-practitioner.name=Joe&general-practitioner:Practitioner.'
                    'address-state=MN', 'peter'),
        ('Patient', 'general-practitioner.name=Jim', ''),
        ('Observation', 'patient.organization.name=byte', 'o1 o2'),
        ('Observation', 'patient.organization.partof.identifier=http://org|a1', 'o1 o2'),
        ('Observation', 'subject:Patient.birthdate=ge1980', 'o3 o4'),
        ('Observation', 'subject:Patient._id=anna', 'o3 o4'),
        ('Observation', 'subject:Patient.general-practitioner:missing=true', 'o3 o4'),
        ('Observation', 'patient.gender=male&code=11557-6&performer:Practitioner.name=jane', 'o2'),
    ))


def finds_by_what_refers_to_it():
    _check((
        ('Patient', '_has:Observation:patient:code=2823-3', 'anna'),
        ('Patient', '_has:Observation:patient:code=2823-3,11557-6', 'anna peter'),
        ('Patient', '_has:Observation:patient:code=2823-3&_has:Observation:patient:code=11557-6',
         'anna'),
        ('Patient', '_has:Observation:patient:_has:Provenance:target:recorded=ge2019', 'peter'),
        ('Encounter', 'patient._has:Group:member:_id=g102', 'e1'),
        ('Patient', '_has:Observation:patient:performer:Practitioner.name=jane', 'anna peter'),
        ('Practitioner', '_has:Observation:performer:value-quantity=lt5', 'jane'),
        ('Patient', '_has:Observation:patient:code=unheardof', ''),
    ))


def finds_items_of_a_list():
    _check((('Condition', '_list=l1', 'c2'), ('Condition', '_list=unheardof', ''),
            ('Observation', '_list=l1', '')))
    _ask(400, 'GET', 'Condition?_list=$current-problems')


# ---- values ----

def finds_what_is_missing_in_each_kind():
    _put('RiskAssessment', 'missing', status='final', subject=_to('Patient', 'peter'))
    _put('RiskAssessment', 'given', status='final', subject=_to('Patient', 'peter'),
         prediction=[{'probabilityDecimal': 0.8}])
    _put('ValueSet', 'no-url', status='active')
    _put('Location', 'lost')
    _check((
        ('RiskAssessment', 'probability:missing=true', 'missing'),
        ('RiskAssessment', 'probability:missing=false', 'given'),
        ('Encounter', 'date:missing=true&patient=peter', ''),
        ('Condition', 'abatement-date:missing=true&patient=peter', 'c1'),
        ('Condition', 'abatement-date:missing=false', 'c2'),
        ('Location', 'name:missing=true', 'lost'),
        ('Patient', 'gender:missing=true&_id=peter', ''),
        ('Observation', 'encounter:missing=true&patient=peter', 'o2'),
        ('Observation', 'encounter:missing=false&patient=peter', 'o1'),
        ('Observation', 'value-quantity:missing=true&patient=peter', ''),
        ('ValueSet', 'url:missing=true', 'no-url'),
    ))


def finds_numbers_dates_and_quantities_by_each_prefix():
    _put('Patient', 'risk')
    for name, value in (('n99', 0.99), ('n100', 1.00), ('n101', 1.01), ('n2', 2)):
        _put('RiskAssessment', name, status='final', subject=_to('Patient', 'risk'),
             prediction=[{'probabilityDecimal': value}])
        _put('Observation', name, status='final', subject=_to('Patient', 'risk'), code=_code('x'),
             valueQuantity={'value': value, 'unit': 'kg', 'code': 'kg',
                            'system': 'http://unitsofmeasure.org'})
    for query, wanted in (
            ('1.00', 'n100'), ('1.0', 'n100 n101 n99'), ('1', 'n100 n101 n99'),
            ('ne1.00', 'n101 n2 n99'),
            ('gt1.00', 'n101 n2'), ('lt1.00', 'n99'), ('ge1.00', 'n100 n101 n2'),
            ('le1.00', 'n100 n99'), ('sa1.00', 'n101 n2'), ('eb1.00', 'n99'),
            ('ap1', 'n100 n101 n99'), ('eq2.00', 'n2'), ('eq3', '')):
        _check((('RiskAssessment', 'patient=risk&probability=' + query, wanted),
                ('Observation', 'patient=risk&value-quantity=' + query, wanted),
                ('Observation', 'patient=risk&value-quantity=%s|http://unitsofmeasure.org|kg'
                 % query, wanted)))
    for name, when in (('d0', '2013-01-13'), ('d1', '2013-01-14'), ('d2', '2013-01-14T10:00:00Z'),
                       ('d3', '2013-01-15T00:00:00Z'), ('d4', '2013')):
        _put('Procedure', name, status='completed', subject=_to('Patient', 'risk'),
             performedDateTime=when)
    # The examples of R4 search, "date".
    for query, wanted in (
            ('eq2013-01-14', 'd1 d2'), ('ne2013-01-14', 'd0 d3 d4'),
            ('lt2013-01-14T10:00:00Z', 'd0 d1 d4'), ('gt2013-01-14T10:00:00Z', 'd1 d3 d4'),
            ('ge2013-01-14', 'd1 d2 d3 d4'), ('le2013-01-14', 'd0 d1 d2 d4'),
            ('sa2013-01-14', 'd3'), ('eb2013-01-14', 'd0'), ('2013', 'd0 d1 d2 d3 d4'),
            ('2014', ''), ('ap2013-01-14', 'd0 d1 d2 d3 d4')):
        _check((('Procedure', 'patient=risk&date=' + query, wanted),))


def finds_texts_and_uris_in_each_form():
    for name, url in (('v1', 'http://acme.org/fhir/ValueSet/123'),
                      ('v2', 'http://acme.org/fhir/ValueSet/123/_history/5'),
                      ('v3', 'http://acme.org/fhir/ValueSet/1234')):
        _put('ValueSet', name, url=url, status='active')
    _put('Patient', 't1', name=[{'family': 'Evangeline', 'given': ['Severine']}])
    _put('Patient', 't2', name=[{'family': 'Eve'}])
    _put('Patient', 't3', name=[{'family': 'eve'}])
    _check((
        ('ValueSet', 'url=http://acme.org/fhir/ValueSet/123', 'v1'),
        ('ValueSet', 'url:below=http://acme.org/fhir/ValueSet/123/', 'v2'),
        ('ValueSet', 'url:below=http://acme.org/fhir/', 'v1 v2 v3'),
        ('ValueSet', 'url:above=http://acme.org/fhir/ValueSet/123/_history/5', 'v1 v2'),
        ('ValueSet', 'url:contains=Set/1234', 'v3'),
        ('ValueSet', 'url=http://acme.org/fhir/ValueSet', ''),
        # The examples of R4 search, "string".
        ('Patient', 'name=eve&_id=t1,t2,t3', 't2 t3'),
        ('Patient', 'name:contains=eve&_id=t1,t2,t3', 't1 t2 t3'),
        ('Patient', 'name:exact=Eve&_id=t1,t2,t3', 't2'),
        ('Patient', 'name=ev,sev&_id=t1,t2,t3', 't1 t2 t3'),
        ('Patient', 'name=ev&name=sev', 't1'),
    ))


def finds_identifiers_and_codes_in_each_form():
    for name, identifiers in (('i1', [('http://s', '5')]), ('i2', [('', '5')]),
                              ('i3', [('http://s', '6'), ('http://t', '5')])):
        _put('Group', name, type='person', actual=True, identifier=[
            {'value': value, **({'system': system} if system else {})}
            for system, value in identifiers])
    for name, system, code in (('k1', 'http://s', '5'), ('k2', None, '5'), ('k3', 'http://t', '5')):
        _put('Substance', name, code={'coding': [
            {'code': code, **({'system': system} if system else {})}]})
    _check((
        ('Group', 'identifier=5', 'i1 i2 i3'), ('Group', 'identifier=http://s|5', 'i1'),
        ('Group', 'identifier=|5', 'i2'), ('Group', 'identifier=http://s|5,6', 'i1 i3'),
        ('Group', 'identifier=7', ''),
        ('Substance', 'code=5', 'k1 k2 k3'), ('Substance', 'code=http://s|5', 'k1'),
        ('Substance', 'code=|5', 'k2'), ('Substance', 'code=http://t|', 'k3'),
        ('Substance', 'code:not=http://s|5', 'k2 k3'), ('Substance', 'code:not=5', ''),
        ('Patient', 'gender:not=female&_id=anna,peter', 'peter'),
    ))


def finds_references_in_each_form():
    _put('Flag', 'f1', status='active', code={'text': 'x'}, subject=_to('Patient', 'peter'))
    _put('Flag', 'f2', status='active', code={'text': 'x'}, subject=_to('Group', 'g102'))
    _put('Flag', 'f3', status='active', code={'text': 'x'}, subject={
        'identifier': {'system': 'http://mrn', 'value': '9'}, 'display': 'Somebody Else'})
    _put('Flag', 'f4', status='active', code={'text': 'x'}, subject={
        'reference': 'http://elsewhere.example/fhir/Patient/peter'})
    _check((
        ('Flag', 'subject=peter', 'f1'), ('Flag', 'subject=Patient/peter', 'f1'),
        ('Flag', 'subject:Patient=peter', 'f1'), ('Flag', 'subject:Group=g102', 'f2'),
        ('Flag', 'subject:Group=peter', ''),
        ('Flag', 'subject=http://elsewhere.example/fhir/Patient/peter', 'f4'),
        ('Flag', 'subject=%s/Patient/peter' % SERVER.base, 'f1'),
        ('Flag', 'subject:identifier=http://mrn|9', 'f3'),
        ('Flag', 'subject:text=somebody', 'f3'),
        ('Flag', 'subject=Patient/peter,Group/g102', 'f1 f2'),
    ))


def finds_composite_values():
    _check((
        ('Observation', 'code-value-quantity=http://loinc.org|11557-6$gt6.0', 'o1 o3'),
        ('Observation', 'code-value-quantity=11557-6$lt6,2823-3$lt5', 'o2 o4'),
        ('Observation', 'code-value-quantity=2823-3$gt5', ''),
        ('DiagnosticReport', 'result.code-value-quantity=11557-6$gt6.25', 'r2'),
    ))


def finds_quantities_in_other_units():
    _check((
        ('Observation', 'value-quantity=gt6000|http://unitsofmeasure.org|Pa&code=11557-6', 'o1 o3'),
        ('Observation', 'value-quantity=5.9|http://unitsofmeasure.org|kPa', 'o2'),
        ('Observation', 'value-quantity=gt1|http://unitsofmeasure.org|m', ''),
    ))


def finds_by_words_and_types_of_identifiers():
    _check((
        ('Observation', 'code:text=gas&subject=Patient/anna', 'o3 o4'),
        ('Observation', 'code:text=fluid', ''),
        ('Patient', 'identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053',
         'peter'),
        ('Patient', '_text=renal', 'peter'),
        ('Patient', '_text=hepatic', ''),
        ('Patient', '_content=chalmers', 'peter'),
        ('Patient', '_tag=http://acme.org/codes|needs-review', 'peter'),
        ('Patient', '_security=http://x/labels|R', 'peter'),
        ('Patient', '_profile=http://x/profile', 'peter'),
        ('Patient', '_source=http://x/source', 'peter'),
    ))


def finds_codes_of_value_sets_and_hierarchies():
    _put('CodeSystem', 'animals', url='http://x/animals', status='active', content='complete',
         concept=[{'code': 'cat', 'concept': [{'code': 'lynx'}]}, {'code': 'owl'}])
    _put('ValueSet', 'cats', url='http://x/cats', status='active', compose={'include': [
        {'system': 'http://x/animals', 'filter': [
            {'property': 'concept', 'op': 'is-a', 'value': 'cat'}]}]})
    _put('Patient', 'zoo', name=[{'family': 'Zoo'}])
    for code in ('cat', 'lynx', 'owl'):
        _put('Basic', code, code=_code(code, 'http://x/animals'), subject=_to('Patient', 'zoo'))
    _check((
        ('Basic', 'code:in=http://x/cats', 'cat lynx'),
        ('Basic', 'code:not-in=http://x/cats', 'owl'),
        ('Basic', 'code:below=http://x/animals|cat', 'cat lynx'),
        ('Basic', 'code:above=http://x/animals|lynx', 'cat lynx'),
        ('Basic', 'code:below=http://x/animals|owl', 'owl'),
        ('Patient', '_has:Basic:patient:code:in=http://x/cats', 'zoo'),
    ))
    for query in ('code:in=http://x/unheardof', 'code:not-in=http://x/unheardof',
                  'code:below=http://x/unheardof%7Ca', 'code:below=cat'):
        _ask(400, 'GET', 'Basic?' + query)
        _ask(400, 'GET', 'Basic?' + query, headers={'Prefer': 'handling=lenient'})


def finds_places_nearby():
    _check((
        ('Location', 'near=42.25|-83.7|5|km', 'north'),
        ('Location', 'near=42.25|-80|5|km', ''),
        ('Location', 'near=42.25|-80|1000|km', 'north'),
    ))


def finds_what_is_above_and_below_in_a_hierarchy():
    _check((
        ('Location', 'partof:below=north', 'bed ward'),
        ('Location', 'partof=north', 'ward'),
        ('Location', 'partof:above=ward', 'ward bed'),
        ('Location', 'partof:below=bed', ''),
    ))


# ---- all types ----

def asks_of_several_types_what_they_share():
    assert _found('', '_type=Condition,Observation&patient=peter') == [
        'Condition/c1', 'Condition/c2', 'Observation/o1', 'Observation/o2']
    assert _found('', '_id=peter') == ['Patient/peter']
    assert _found('', '_type=Patient,Organization&_id=peter,acme') == [
        'Organization/acme', 'Patient/peter']
    for query in ('_id=', '', '_type=Patient,Device&birthdate=2000', 'name=x', '_count=3'):
        _ask(400, 'GET', '?' + query)


def compartments_are_what_their_definitions_list():
    for path, wanted in (
            ('Patient/peter/Condition', 'c1 c2'),
            ('Encounter/e1/Observation', 'o1'),
            ('Encounter/e1/Encounter', 'e1'),
            ('Practitioner/joe/Observation', 'o1 o3'),
            ('Practitioner/joe/Encounter', 'e1'),
            ('Practitioner/nobody/Observation', '')):
        assert _ids(path) == wanted.split(), (path, _ids(path))
    assert _ids('Practitioner/joe/Observation', 'code=11557-6&patient=anna') == ['o3']
    # A Group's encounter and a task are about Peter, and not in his compartment.
    _put('Encounter', 'e3', status='finished', **{'class': {'code': 'AMB'}},
         subject=_to('Group', 'g102'))
    _put('Task', 't1', status='draft', intent='order', **{'for': _to('Patient', 'peter')})
    assert _found('Patient/peter/*', '_type=Encounter,Group,Task') == ['Encounter/e1', 'Group/g102']
    _ask(400, 'GET', 'Patient/peter/Task')
    everything = _found('Patient/peter/$everything', '_type=Encounter,Task')
    assert everything == ['Encounter/e1', 'Encounter/e3', 'Task/t1'], everything
    for kind, name in (('Encounter', 'e3'), ('Task', 't1')):
        SERVER.ask('DELETE', '%s/%s' % (kind, name))
    every = _found('Practitioner/joe/*')
    assert every == ['Encounter/e1', 'Observation/o1', 'Observation/o3', 'Patient/peter',
                     'Practitioner/joe', 'Provenance/p1'], every
    _ask(400, 'GET', 'Encounter/e1/Patient')
    _ask(400, 'GET', 'Organization/acme/Patient')


def compartments_hold_what_refers_to_a_linked_record():
    _put('Patient', 'before')
    _put('Patient', 'after', link=[{'other': _to('Patient', 'before'), 'type': 'replaces'}])
    _put('Goal', 'b', lifecycleStatus='active', description={'text': 'x'},
         subject=_to('Patient', 'before'))
    _put('Goal', 'a', lifecycleStatus='active', description={'text': 'x'},
         subject=_to('Patient', 'after'))
    for name in ('before', 'after'):
        assert _ids('Patient/%s/Goal' % name) == ['a', 'b']
        assert _ids('Patient/%s/Patient' % name) == ['after']
    assert _ids('Goal', 'patient=after') == ['a']
    _put('Patient', 'after')
    assert _ids('Patient/after/Goal') == ['a']


# ---- what comes with it ----

def includes_come_once_and_are_no_matches():
    for query, matches, wanted in (
            ('Observation?_include=Observation:patient&code=11557-6', 'o1 o2 o3',
             'Patient/anna Patient/peter'),
            ('Observation?_include=Observation:subject:Patient&_id=o1', 'o1', 'Patient/peter'),
            ('Observation?_include=Observation:performer&_id=o1,o3', 'o1 o3', 'Practitioner/joe'),
            ('Observation?_include=Observation:performer:Organization&_id=o1', 'o1', ''),
            ('Observation?_include=Observation:patient&_include:iterate=Patient:organization'
             '&_include:iterate=Organization:partof&_id=o1', 'o1',
             'Organization/acme Organization/byte Patient/peter'),
            ('Observation?_include=Observation:patient&_include=Observation:encounter&_id=o1', 'o1',
             'Encounter/e1 Patient/peter'),
            ('Observation?_include=*&_id=o1', 'o1', 'Encounter/e1 Patient/peter Practitioner/joe'),
            ('Observation?_revinclude=Provenance:target&_id=o1,o2', 'o1 o2', 'Provenance/p1'),
            ('Observation?_revinclude=*&_id=o1', 'o1', 'DiagnosticReport/r1 Provenance/p1'),
            ('Patient?_revinclude=Observation:patient&_revinclude:iterate=DiagnosticReport:result'
             '&_id=anna', 'anna', 'DiagnosticReport/r2 Observation/o3 Observation/o4'),
            ('Location?_include:iterate=Location:partof&_id=bed', 'bed',
             'Location/north Location/ward'),
            ('Location?_include=Location:partof&_id=bed,ward', 'bed ward', 'Location/north'),
    ):
        path, asked = query.split('?')
        found = [name.split('/')[1] for name in _found(path, asked)]
        assert found == matches.split(), (query, found)
        included = _found(path, asked, 'include')
        assert included == wanted.split(), (query, included)


def includes_come_with_each_page():
    pages = list(SERVER.pages('Observation?_include=Observation:patient&_count=1&code=11557-6'
                              '&_sort=date'))
    assert [[entry['search']['mode'] for entry in page['entry']] for page in pages] == \
        [['match', 'include']] * 3, pages
    assert [page['entry'][1]['resource']['id'] for page in pages] == ['peter', 'peter', 'anna']
    count = _ask(200, 'GET', 'Observation?_include=Observation:patient&_summary=count'
                 '&_id=o1,o2').json
    assert 'entry' not in count and count['total'] == 2, count


def many_includes_make_a_page_smaller_and_too_many_are_refused():
    mark = uuid.uuid4().hex[:12]
    entries = [{'request': {'method': 'PUT', 'url': 'Patient/%s%d' % (mark, number)}, 'resource': {
        'resourceType': 'Patient', 'id': '%s%d' % (mark, number),
        'generalPractitioner': [_to('Organization', '%sg%d' % (mark, number // 700))]}}
               for number in range(1400)]
    entries += [{'request': {'method': 'PUT', 'url': 'Organization/%sg%d' % (mark, number)},
                 'resource': {'resourceType': 'Organization', 'id': '%sg%d' % (mark, number),
                              'name': mark}} for number in range(2)]
    _ask(200, 'POST', '', {'resourceType': 'Bundle', 'type': 'transaction', 'entry': entries})
    query = 'Organization?name=%s&_revinclude=Patient:general-practitioner' % mark
    pages = list(SERVER.pages(query))
    assert [len(page['entry']) for page in pages] == [701, 701], [len(p['entry']) for p in pages]
    _put('Organization', mark + 'top', name=mark)
    for number in range(2):
        _put('Organization', '%sg%d' % (mark, number), name=mark, partOf=_to(
            'Organization', mark + 'top'))
    answer = _ask(413, 'GET', 'Organization?_id=%stop&_revinclude=Organization:partof'
                              '&_revinclude:iterate=Patient:general-practitioner' % mark)
    assert answer.codes() == ['too-costly'], answer


def an_include_is_an_access_to_whom_it_shows():
    bundle = _ask(200, 'GET', 'Provenance?_id=p1&_include=Provenance:target').json
    assert [entry['search']['mode'] for entry in bundle['entry']] == ['match', 'include'], bundle
    _put('Binary', 'b1', contentType='text/plain', data='aGVsbG8=',
         securityContext=_to('Patient', 'nobody-yet'))
    _put('DocumentReference', 'd1', status='current', subject=_to('Patient', 'peter'),
         content=[{'attachment': {'url': 'Binary/b1'}}])
    shown = _ask(200, 'GET', 'DocumentReference?_id=d1&_include=*').body
    assert b'aGVsbG8=' not in shown, shown


# ---- how it is asked ----

def a_form_and_a_url_ask_the_same():
    query = _quoted('code=11557-6&_sort=-date&_include=Observation:patient&subject:Patient.name='
                    'peter')
    first, last = query.split('&', 1)
    asked = [_ask(200, 'GET', 'Observation?' + query).json,
             _ask(200, 'POST', 'Observation/_search', query, FORM).json,
             _ask(200, 'POST', 'Observation/_search?' + first, last, FORM).json,
             _ask(200, 'POST', 'Observation/_search?' + query, '', FORM).json]
    for bundle in asked[1:]:
        assert bundle['entry'] == asked[0]['entry'], bundle
        assert bundle['link'] == asked[0]['link'], (bundle['link'], asked[0]['link'])


def a_compartment_is_asked_with_a_form_too():
    query = 'code=11557-6&_sort=-date'
    asked = _ask(200, 'GET', 'Patient/peter/Observation?' + query).json
    form = _ask(200, 'POST', 'Patient/peter/Observation/_search', query, FORM).json
    assert form['entry'] == asked['entry'] and form['link'] == asked['link'], form['link']
    page = _ask(200, 'POST', 'Patient/peter/_search', '_type=Condition&_count=1', FORM).json
    assert [link['url'].split('/fhir/')[1].split('?')[0] for link in page['link']] == \
        ['Patient/peter/*'] * 2, page['link']
    found = _ask(200, 'GET', page['link'][1]['url'].split('/fhir/')[1]).json['entry']
    assert [page['entry'][0]['resource']['id'], found[0]['resource']['id']] == ['c1', 'c2']
    every = _ask(200, 'POST', 'Patient/peter/*/_search', '_type=Condition', FORM).json
    assert len(every['entry']) == 2
    assert _ask(405, 'GET', 'Patient/peter/Observation/_search').headers['allow'] == 'POST'
    _ask(404, 'POST', 'Patient/peter/Unheardof/_search', '', FORM)
    _ask(404, 'POST', 'Patient/peter/Observation/x/_search', '', FORM)
    _ask(400, 'POST', 'Patient/peter/Observation/_search', 'unheardof=1', FORM)


def the_self_link_shows_what_was_applied():
    for headers, left_out in (({}, None), ({'Prefer': 'handling=strict'}, None),
                              ({'Prefer': 'handling=lenient'}, ['unheardof', 'code:wrong',
                                                                'subject.unheardof', '_include'])):
        query = 'patient=peter&_count=100000&_total=accurate'
        if left_out:
            query += '&unheardof=1&code:wrong=1&subject.unheardof=1&_include=Patient:name'
        bundle = _ask(200, 'GET', 'Observation?' + query, headers=headers).json
        link = [link['url'] for link in bundle['link'] if link['relation'] == 'self'][0]
        asked = dict(urllib.parse.parse_qsl(link.split('?')[1]))
        assert asked['patient'] == 'peter' and asked['_total'] == 'accurate', asked
        assert int(asked['_count']) < 100000 and len(asked) == 3, asked
        outcomes = [entry['resource'] for entry in bundle['entry']
                    if entry['search']['mode'] == 'outcome']
        texts = [issue['diagnostics'] for each in outcomes for issue in each['issue']]
        for name in left_out or []:
            assert [text for text in texts if "'%s'" % name in text
                    or "'%s:" % name in text], (name, texts)
        assert len(texts) == len(left_out or []), texts


def refuses_by_name_what_is_not_answered():
    for query in ('_contained=yes', '_contained=both&_sort=name', '_query=everything', '_filter=a',
                  '_containedType=contained&_contained=true&_count=0',
                  '_sort=unheardof', '_sort=_text', 'name:below=a', 'birthdate:not=1970',
                  'general-practitioner.unheardof=1', 'name.given=a',
                  '_has:Observation:code:code=1', '_include=Patient',
                  '_include:recurse=Patient:link', '_include=Observation:patient',
                  '_revinclude=Provenance:agent:Device', '_count=1&_count=2', 'gender:of-type=a',
                  '_total=1', 'identifier:of-type=a|b'):
        answer = _ask(400, 'GET', 'Patient?' + _quoted(query))
        text = answer.json['issue'][0]['diagnostics']
        assert query.split('=')[0].split(':')[0].split('.')[0] in text, (query, text)
    assert _ask(200, 'GET', 'Patient?_id=peter&_contained=false').json['entry']


def _contain(answer):
    """What each entry is, and where it is said to be."""
    return [(entry['fullUrl'].split('/fhir/')[-1], entry['resource']['resourceType'],
             entry['resource']['id'], entry['search']['mode']) for entry in answer]


def what_contains_a_match_is_given_or_what_is_contained():
    nine = [{'system': 'urn:tube', 'value': '9'}]
    tubes = [{'resourceType': 'Specimen', 'id': 'one', 'identifier': nine},
             {'resourceType': 'Specimen', 'id': 'two', 'identifier': nine},
             {'resourceType': 'Specimen', 'id': 'three'}]
    _put('DiagnosticReport', 'tubes', status='final', code=_code('tube'), contained=tubes,
         subject=_to('Patient', 'peter'),
         specimen=[{'reference': '#' + tube['id']} for tube in tubes])
    _put('Specimen', 'alone', identifier=nine)
    asked = 'identifier=urn:tube|9&_contained='
    container = ('DiagnosticReport/tubes', 'DiagnosticReport', 'tubes', 'match')
    alone = ('Specimen/alone', 'Specimen', 'alone', 'match')
    inside = [('DiagnosticReport/tubes#' + name, 'Specimen', name, 'match')
              for name in ('one', 'two')]
    for query, wanted in (('false', [alone]), ('true', [container]), ('both', [alone, container]),
                          ('true&_containedType=container', [container]),
                          ('true&_containedType=contained', inside),
                          ('both&_containedType=contained', [alone] + inside),
                          ('both&_containedType=contained&_count=1', [alone] + inside)):
        found = _contain(SERVER.entries('Specimen?' + _quoted(asked + query)))
        assert sorted(found) == sorted(wanted), (query, found)
    counted = _ask(200, 'GET', 'Specimen?' + _quoted(asked + 'true&_total=accurate')).json
    assert counted['total'] == 1, counted
    short = _ask(200, 'GET', 'Specimen?' + _quoted(
        asked + 'true&_containedType=contained&_elements=collection'))
    assert 'identifier' not in short.json['entry'][0]['resource'], short
    included = SERVER.entries('Specimen?' + _quoted(
        asked + 'true&_include=DiagnosticReport:subject'))
    assert sorted(_contain(included)) == sorted(
        [container, ('Patient/peter', 'Patient', 'peter', 'include')]), included
    answer = _ask(400, 'GET', 'Patient/peter/Specimen?_contained=true')
    assert '_contained' in answer.json['issue'][0]['diagnostics'], answer
    for name in ('DiagnosticReport/tubes', 'Specimen/alone'):
        _ask((200, 204), 'DELETE', name)


def sorts_by_several_keys():
    def order(keys):
        return [entry['resource']['id'] for entry in SERVER.entries(
            'Observation?_id=o1,o2,o3,o4&_count=2&_sort=' + keys)]
    assert order('code,-date') == ['o3', 'o2', 'o1', 'o4'], order('code,-date')
    assert order('-code,date') == ['o4', 'o1', 'o2', 'o3'], order('-code,date')
    assert order('value-quantity') == ['o4', 'o2', 'o1', 'o3'], order('value-quantity')
    assert order('status,code,-date,_id') == ['o3', 'o2', 'o1', 'o4']
    answer = SERVER.ask('GET', 'Observation?_sort=status,code,-date,category,_id')
    assert answer.status == 413 and 'at most 4' in answer.body.decode(), answer
    answer = SERVER.ask('GET', 'Observation?_id=o1,o2,o3,o4&_sort=patient,date')
    assert answer.status == 200 or 'patient' in answer.json['issue'][0]['diagnostics'], answer


def totals_are_told_when_asked_for():
    for query, wanted in (('', None), ('&_total=none', None), ('&_total=accurate', 2),
                          ('&_total=estimate', 2)):
        bundle = _ask(200, 'GET', 'Observation?patient=peter' + query).json
        assert bundle.get('total') == wanted, (query, bundle.get('total'))


def the_statement_lists_what_may_be_asked():
    statement = _ask(200, 'GET', 'metadata').json['rest'][0]
    kinds = {each['type']: each for each in statement['resource']}
    of_type = {each['name']: each['type'] for each in kinds['Observation']['searchParam']}
    for name, kind in (('code-value-quantity', 'composite'), ('_id', 'token'), ('_has', 'special'),
                       ('_lastUpdated', 'date'), ('_content', 'string'), ('_text', 'string'),
                       ('_list', 'special'), ('_tag', 'token'), ('_source', 'uri')):
        assert of_type.get(name) == kind, (name, of_type.get(name))
    assert not {'_query', '_filter', '_type'} & set(of_type)
    assert {each['name'] for each in kinds['Location']['searchParam']} >= {'near', 'partof'}
    assert {'*', 'Observation:patient'} <= set(kinds['Observation']['searchInclude'])
    assert {'*', 'Provenance:target'} <= set(kinds['Observation']['searchRevInclude'])
    assert 'Observation:patient' in kinds['Patient']['searchRevInclude']
    assert 'Observation:patient' not in kinds['Organization']['searchRevInclude']
    assert {each['name'] for each in statement['searchParam']} >= {
        '_id', '_lastUpdated', '_tag', '_type', '_has'}
    operations = {each['name'] for each in kinds['Observation']['operation']}
    assert 'lastn' in operations, operations


# ---- operations ----

def everything_keeps_to_dates_of_care():
    def names(query):
        return _found('Patient/peter/$everything', query)
    inside = names('start=2019-01-01&end=2019-12-31')
    assert {'AllergyIntolerance/a1', 'Patient/peter', 'Condition/c1', 'DiagnosticReport/r1',
            'Encounter/e1', 'Observation/o1'} <= set(inside), inside
    assert not {'Observation/o2', 'Condition/c2'} & set(inside), inside
    late = names('start=2020-01-01')
    assert 'Observation/o2' in late and 'Observation/o1' not in late, late
    early = names('end=2010-06-01')
    assert {'Condition/c1', 'Condition/c2'} <= set(early), early
    assert not {'Observation/o1', 'Encounter/e1'} & set(early), early
    assert names('start=2019-01-01&end=2019-12-31&_type=Observation') == ['Observation/o1']
    page = _ask(200, 'GET', 'Patient/peter/$everything?start=2019-01-01&_count=1').json
    link = [link['url'] for link in page['link'] if link['relation'] == 'next'][0]
    assert 'start=2019-01-01' in link and '_lastUpdated' not in link, link
    assert _found('Patient/peter/$everything', '_since=2999-01-01T00:00:00Z') == []
    assert 'Practitioner/joe' in _found('Patient/peter/$everything', '_include=*', 'include')
    for query in ('start=soon', 'start=2019&start=2020', 'unheardof=1', '_since=soon', '_since=',
                  '_since=2019,2020', '_since=ge2019', '_since=2019&_since=2020'):
        answer = _ask(400, 'GET', 'Patient/peter/$everything?' + query)
        assert '_lastUpdated' not in answer.body.decode(), answer


def every_page_of_everything_keeps_to_what_was_asked():
    def times_of(page):
        return [entry['resource']['meta']['lastUpdated'] for entry in page.get('entry', [])
                if entry['search']['mode'] == 'match']
    times = sorted(times_of(_ask(200, 'GET', 'Patient/peter/$everything').json))
    middle = times[len(times) // 2]
    assert times[0] < middle, times
    for query, inside in (('_lastUpdated=lt' + middle, lambda time: time < middle),
                          ('_lastUpdated=lt%s&_since=%s' % (middle, times[1]),
                           lambda time: times[1] <= time < middle)):
        url = 'Patient/peter/$everything?_count=1&' + query
        found = []
        while url:
            page = _ask(200, 'GET', url).json
            found += times_of(page)
            url = ''.join(link['url'].split('/fhir/')[1] for link in page['link']
                          if link['relation'] == 'next')
        assert sorted(found) == [time for time in times if inside(time)], (query, found)


def everything_and_the_last_may_be_only_counted():
    whole = _ask(200, 'GET', 'Patient/peter/$everything').json['entry']
    for query in ('_summary=count', '_count=0'):
        answer = _ask(200, 'GET', 'Patient/peter/$everything?' + query).json
        assert 'entry' not in answer and answer['total'] == len(whole), answer
    query = 'Observation/$lastn?patient=peter&code:missing=false'
    some = _ask(200, 'GET', query).json
    answer = _ask(200, 'GET', query + '&_summary=count').json
    assert some['entry'] and 'entry' not in answer and answer['total'] == len(some['entry']), answer


def _parameters(*pairs):
    values = [{'name': name, **({'valueReference': {'reference': value}} if '/' in value else
                                {'valueInteger': int(value)} if value.isdigit() else
                                {'valueString': value})} for name, value in pairs]
    return {'resourceType': 'Parameters', 'parameter': values}


def what_a_url_asks_of_an_operation_a_body_asks_too():
    def names(answer):
        return [entry.get('fullUrl') for entry in answer.json.get('entry', [])]
    for path, pairs, query in (
            ('Patient/peter/$everything', [], ''),
            ('Patient/peter/$everything', [('_type', 'Encounter'), ('_type', 'Observation')],
             '_type=Encounter,Observation'),
            ('Patient/peter/$everything', [('start', '2019-01-01'), ('_count', '1')],
             'start=2019-01-01&_count=1'),
            ('Observation/$lastn', [('patient', 'Patient/peter'), ('code:missing', 'false'),
                                    ('max', '2')], 'patient=peter&code:missing=false&max=2')):
        sent = _ask(200, 'POST', path, _parameters(*pairs))
        asked = _ask(200, 'GET', path + '?' + query)
        assert names(sent) == names(asked) and names(asked), (names(sent), names(asked))
        links = [{link['relation']: link['url'] for link in answer.json['link']}.get('next')
                 for answer in (sent, asked)]
        assert (links[0] is None) == (links[1] is None), links
        if links[0]:
            assert names(SERVER.ask('GET', links[0])) == names(SERVER.ask('GET', links[1]))
    for path, pairs in (('Patient/peter/$everything', []),
                        ('Observation/$lastn', [('patient', 'Patient/peter'),
                                                ('code:missing', 'false')])):
        counted = _ask(200, 'POST', path, _parameters(*pairs, ('_summary', 'count')))
        assert 'entry' not in counted.json and counted.json['total'] > 0, counted
        sent = _ask(200, 'POST', path, _parameters(*pairs, ('_elements', 'status')))
        asked = _ask(200, 'GET', path + '?_elements=status&' + '&'.join(
            name + '=' + value for name, value in pairs))
        assert sent.json['entry'] == asked.json['entry'] and asked.json['entry'], (sent, asked)
        sent = _ask(200, 'POST', path, _parameters(*pairs, ('_format', 'xml')))
        assert sent.body.startswith(b'<'), sent
        _ask(400, 'POST', path, _parameters(*pairs, ('_summary', 'perhaps')))
    for body, status in (({'resourceType': 'Patient'}, (400, 422)),
                         (_parameters(('unheardof', 'x')), 400),
                         (_parameters(('start', 'yesterday')), 400),
                         ({'resourceType': 'Parameters', 'parameter': [
                             {'name': 'start', 'resource': {'resourceType': 'Basic'}}]}, 400),
                         ({'resourceType': 'Parameters', 'parameter': {'name': 'start'}}, 400)):
        answer = _ask(status, 'POST', 'Patient/peter/$everything', body)
        assert b'yesterday' not in answer.body, answer


def the_last_of_each_code_are_given():
    mark = uuid.uuid4().hex
    _put('Patient', mark)

    def put(name, codings, when, **more):
        _put('Observation', mark[:20] + name, status='final', subject=_to('Patient', mark),
             category=[_code('vital-signs', 'http://category')],
             code={**({'coding': [{'system': 'http://c', 'code': code} for code in codings]}
                      if codings else {}), **more},
             **({'effectiveDateTime': when} if when else {}))
    put('a1', ['a'], '2020-01-01')
    put('a2', ['a'], '2020-01-03')
    put('b1', ['b'], '2020-01-02')
    put('t1', [], '2020-01-01', text='Text')
    put('t2', [], '2020-01-02', text='text')
    put('n1', ['n'], None)

    def last(query):
        bundle = _ask(200, 'GET', 'Observation/$lastn?patient=%s&%s' % (mark, query)).json
        assert bundle['type'] == 'searchset'
        return [entry['resource']['id'][20:] for entry in bundle.get('entry', [])]
    assert last('category=vital-signs') == ['a2', 'b1', 't2', 't1', 'n1'], \
        last('category=vital-signs')
    assert last('category=vital-signs&max=2') == ['a2', 'b1', 't2', 'a1', 't1', 'n1']
    assert last('code=a,b') == ['a2', 'b1'] and last('code=unheardof') == []
    assert last('category=vital-signs&date=lt2020-01-02') == ['a1', 't1']
    put('ab', ['a', 'b'], '2020-01-03')
    assert last('code=a,b') == ['a2', 'ab'], last('code=a,b')  # one group, and a tie
    assert last('code=a,b&max=3') == ['a2', 'ab', 'b1']
    for query in ('patient=%s' % mark, 'code=a', 'patient=%s&code=a&max=0' % mark,
                  'patient=%s&code=a&_count=3' % mark, 'patient=%s&code=a&unheardof=1' % mark,
                  'patient=%s&code=a&_sort=date' % mark):
        _ask(400, 'GET', 'Observation/$lastn?' + query)


with Server(PROGRAM, '--reserve', '8M') as SERVER:
    _world()
    CODE = tap.run(sys.modules[__name__])
sys.exit(CODE)
