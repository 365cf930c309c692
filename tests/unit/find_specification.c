/* SPDX-License-Identifier: MIT */
/* The examples of R4 search.html and of what it links to, as they stand there, with the ids that
 * they must find written down first. Dates, numbers and prefixes: find_dates.c; codes of a
 * terminology: tests/system/api_find.py. */
#include "ask_test.h"

#define UCUM "http://unitsofmeasure.org"

static const char *const people[] = {
    "{'resourceType':'Organization','id':'hl7','name':'Health Level Seven'}",
    "{'resourceType':'Practitioner','id':'joe','name':[{'given':['Joe']}],'address':[{'state':"
    "'CA'}]}",
    "{'resourceType':'Practitioner','id':'jane','name':[{'given':['Jane']}],'address':[{'state':"
    "'MN'}]}",
    "{'resourceType':'Patient','id':'23','name':[{'given':['Peter'],'family':'Chalmers'}],'gender':"
    "'male','active':true,'birthDate':'2010-06-01','identifier':[{'system':'http://acme.org/"
    "patient',"
    "'value':'2345'},{'type':{'coding':[{'system':'http://terminology.hl7.org/CodeSystem/v2-0203',"
    "'code':'MR'}]},'value':'446053'}],'generalPractitioner':[{'reference':'Practitioner/joe'},"
    "{'reference':'Practitioner/jane'}],'communication':[{'language':{'coding':[{'code':'FR'}]}},"
    "{'language':{'coding':[{'code':'NL'}]}}],'meta':{'tag':[{'system':'http://acme.org/codes',"
    "'code':'needs-review'}],'profile':['http://hl7.org/fhir/StructureDefinition/lipid']}}",
    "{'resourceType':'Patient','id':'eve','name':[{'given':['Eve']}],'gender':'female',"
    "'generalPractitioner':[{'reference':'Practitioner/joe'}],'identifier':[{'system':"
    "'http://acme.org/patient','value':'2346'}],'communication':[{'language':{'coding':[{'code':"
    "'FR'}]}}]}",
    "{'resourceType':'Patient','id':'evelyn','name':[{'given':['Evelyn']}],'active':false,"
    "'birthDate':'2012-01-01','identifier':[{'value':'2345'}]}",
    "{'resourceType':'Patient','id':'severine','name':[{'given':['Severine']}],'gender':'other',"
    "'birthDate':'2011-12-31'}",
    "{'resourceType':'Patient','id':'shout','name':[{'given':['EVE']}],'gender':'unknown'}",
    "{'resourceType':'Group','id':'102','type':'person','actual':true,'member':[{'entity':"
    "{'reference':'Patient/23'}}],'characteristic':[{'code':{'coding':[{'code':'gender'}]},"
    "'valueCodeableConcept':{'coding':[{'code':'mixed'}]}},{'code':{'coding':[{'code':'owner'}]},"
    "'valueCodeableConcept':{'coding':[{'code':'john-smith'}]}}]}",
    "{'resourceType':'Group','id':'103','type':'person','actual':true,'characteristic':[{'code':"
    "{'coding':[{'code':'gender'}]},'valueCodeableConcept':{'coding':[{'code':'other'}]}},{'code':"
    "{'coding':[{'code':'owner'}]},'valueCodeableConcept':{'coding':[{'code':'mixed'}]}}]}",
    "{'resourceType':'Encounter','id':'enc','subject':{'reference':'Patient/23'}}",
    "{'resourceType':'Encounter','id':'other','subject':{'reference':'Patient/eve'}}",
};

static const char *const findings[] = {
    "{'resourceType':'Observation','id':'potassium','code':{'coding':[{'system':'http://loinc.org',"
    "'code':'2823-3'}]},'subject':{'reference':'Patient/23'},'valueQuantity':{'value':5.5,'system':"
    "'" UCUM "','code':'mmol/L','unit':'mmol/L'}}",
    "{'resourceType':'Observation','id':'low','code':{'coding':[{'system':'http://"
    "loinc.org','code':"
    "'2823-3'}]},'subject':{'reference':'Patient/eve'},'valueQuantity':{'value':5.4,'system':'" UCUM
    "','code':'mmol/L'}}",
    "{'resourceType':'Observation','id':'pressure','code':{'coding':[{'code':'1234-5'}]},'subject':"
    "{'reference':'Patient/23'},'component':[{'code':{'coding':[{'system':'http://"
    "loinc.org','code':"
    "'8480-6'}]},'valueQuantity':{'value':107}},{'code':{'coding':[{'system':'http://loinc.org',"
    "'code':'8462-4'}]},'valueQuantity':{'value':55}}]}",
    "{'resourceType':'Observation','id':'faint','code':{'coding':[{'code':'1234-5'}]},'subject':"
    "{'identifier':{'system':'http://acme.org/fhir/identifier/"
    "mrn','value':'123456'}},'component':[{"
    "'code':{'coding':[{'system':'http://loinc.org','code':'8480-6'}]},'valueQuantity':{'value':"
    "58}}]}",
    "{'resourceType':'Observation','id':'mg54','code':{'text':'x'},'valueQuantity':{'value':5.4,"
    "'unit':'mg','system':'" UCUM "','code':'mg'}}",
    "{'resourceType':'Observation','id':'mg5449','code':{'text':'x'},'valueQuantity':{'value':5."
    "449,"
    "'unit':'mg','system':'" UCUM "','code':'mg'}}",
    "{'resourceType':'Observation','id':'mg545','code':{'text':'x'},'valueQuantity':{'value':5.45,"
    "'unit':'mg','system':'" UCUM "','code':'mg'}}",
    "{'resourceType':'Observation','id':'own','code':{'text':'x'},'valueQuantity':{'value':5.4,"
    "'unit':'mg'}}",
    "{'resourceType':'Observation','id':'gram','code':{'text':'x'},'valueQuantity':{'value':0.0054,"
    "'unit':'gram','system':'" UCUM "','code':'g'}}",
    "{'resourceType':'DiagnosticReport','id':'high','subject':{'reference':'Patient/23'},'result':"
    "[{'reference':'Observation/potassium'}]}",
    "{'resourceType':'DiagnosticReport','id':'normal','subject':{'reference':'Patient/eve'},"
    "'result':[{'reference':'Observation/low'}]}",
    "{'resourceType':'AuditEvent','id':'seen','agent':[{'altId':'MyUserId','requestor':true}],"
    "'entity':[{'what':{'reference':'Observation/low'}}]}",
    "{'resourceType':'Condition','id':'ha','code':{'coding':[{'system':"
    "'http://acme.org/conditions/codes','code':'ha125','display':'Headache, after lunch'}]},"
    "'subject':{'reference':'Patient/23'}}",
    "{'resourceType':'Condition','id':'hb','code':{'coding':[{'system':'http://other.org','code':"
    "'ha125'}],'text':'Migraine'},'subject':{'reference':'Patient/eve'}}",
    "{'resourceType':'RiskAssessment','id':'likely','prediction':[{'probabilityDecimal':0.9}]}",
    "{'resourceType':'RiskAssessment','id':'unlikely','prediction':[{'probabilityDecimal':0.8}]}",
    "{'resourceType':'Location','id':'A101','name':'Building A'}",
    "{'resourceType':'Location','id':'A102','partOf':{'reference':'Location/A101'}}",
    "{'resourceType':'Location','id':'A103','partOf':{'reference':'Location/A102'}}",
    "{'resourceType':'Procedure','id':'above','location':{'reference':'Location/A101'}}",
    "{'resourceType':'Procedure','id':'below','location':{'reference':'Location/A103'}}",
    "{'resourceType':'Procedure','id':'elsewhere','location':{'reference':'Location/B1'}}",
    "{'resourceType':'List','id':'42','entry':[{'item':{'reference':'Patient/eve'}}]}",
    "{'resourceType':'Location','id':'near','position':{'latitude':42.2565,'longitude':-83.6948}}",
    "{'resourceType':'Location','id':'far','position':{'latitude':42.5,'longitude':-83.6948}}",
    "{'resourceType':'MedicationRequest','id':'MR','medicationReference':{'reference':'#MED'},"
    "'contained':[{'resourceType':'Medication','id':'MED','ingredient':[{'itemCodeableConcept':"
    "{'coding':[{'code':'abc'}]}}]}]}",
    "{'resourceType':'MedicationRequest','id':'MRX','medicationReference':{'reference':'#MED'},"
    "'contained':[{'resourceType':'Medication','id':'MED','ingredient':[{'itemCodeableConcept':"
    "{'coding':[{'code':'abcd'}]}}]}]}",
    "{'resourceType':'ValueSet','id':'oid','url':'urn:oid:1.2.3.4.5'}",
    "{'resourceType':'Basic','id':'signs','code':{'coding':[{'code':'a$b,c|d\\\\e'}]}}",
    "{'resourceType':'Basic','id':'a','code':{'coding':[{'code':'a$b'}]}}",
    "{'resourceType':'Questionnaire','id':'focus','useContext':[{'code':{'code':'focus'},"
    "'valueCodeableConcept':{'coding':[{'system':'http://snomed.info/sct','code':'408934002'}]}}]}",
    "{'resourceType':'Questionnaire','id':'venue','useContext':[{'code':{'code':'venue'},"
    "'valueCodeableConcept':{'coding':[{'system':'http://snomed.info/sct','code':'408934002'}]}},"
    "{'code':{'code':'focus'},'valueCodeableConcept':{'coding':[{'code':'1'}]}}]}",
};

static void put_examples(void)
{
    must_put_all(people, sizeof people / sizeof people[0]);
    must_put_all(findings, sizeof findings / sizeof findings[0]);
}

static void the_examples_of_the_specification_find_what_they_say(void **state)
{
    (void)state;
    put_examples();
    static const struct asked rows[] = {
        /* Parameters common to all resources. */
        {"Patient?_id=23", "23"},
        {"Observation?_lastUpdated=gt2010-10-01&code=2823-3", "low potassium"},
        {"Patient?_tag=http://acme.org/codes|needs-review", "23"},
        {"Patient?_profile=http://hl7.org/fhir/StructureDefinition/lipid", "23"},
        {"Patient?_list=42", "eve"},
        /* "joins": repeated parameters must all hold, values with commas any. */
        {"Patient?language=FR&language=NL", "23"},
        {"Patient?language=FR,NL", "23 eve"},
        {"Patient?birthdate=ge2010-01-01&birthdate=le2011-12-31", "23 severine"},
        {"Patient?gender:missing=true", "evelyn"},
        {"Patient?gender:missing=false", "23 eve severine shout"},
        /* number */
        {"RiskAssessment?probability=gt0.8", "likely"},
        {"RiskAssessment?probability=0.8", "unlikely"},
        /* string */
        {"Patient?given=eve", "eve evelyn shout"},
        {"Patient?given:contains=eve", "eve evelyn severine shout"},
        {"Patient?given:exact=Eve", "eve"},
        /* token */
        {"Patient?identifier=http://acme.org/patient|2345", "23"},
        {"Patient?identifier=2345", "23 evelyn"},
        {"Patient?identifier=|2345", "evelyn"},
        {"Patient?identifier=http://acme.org/patient|", "23 eve"},
        {"Patient?gender=male", "23"},
        {"Patient?gender:not=male", "eve evelyn severine shout"},
        {"Patient?gender:not=male,female", "evelyn severine shout"},
        {"Patient?active=true", "23"},
        {"Condition?code=http://acme.org/conditions/codes|ha125", "ha"},
        {"Condition?code=ha125", "ha hb"},
        {"Condition?code:text=headache", "ha"},
        {"Condition?code:text=migraine", "hb"},
        {"Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053",
         "23"},
        {"Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|2345", ""},
        /* quantity */
        {"Observation?value-quantity=5.4|" UCUM "|mg", "gram mg54 mg5449"},
        {"Observation?value-quantity=5.40e-3|" UCUM "|g", "gram mg54"},
        {"Observation?value-quantity=5.4||mg", "mg54 mg5449 own"},
        {"Observation?value-quantity=5.4", "low mg54 mg5449 own"},
        {"Observation?value-quantity=le5.4|" UCUM "|mg", "gram mg54"},
        {"Observation?value-quantity=ap5.4|" UCUM "|mg", "gram mg54 mg5449 mg545"},
        /* reference */
        {"Observation?subject=Patient/23", "potassium pressure"},
        {"Observation?subject:Patient=23", "potassium pressure"},
        {"Observation?subject=http://here.example/fhir/Patient/23", "potassium pressure"},
        {"Observation?subject:identifier=http://acme.org/fhir/identifier/mrn|123456", "faint"},
        {"Procedure?location:below=A101", "above below"},
        {"Procedure?location=A101", "above"},
        {"ValueSet?url=urn:oid:1.2.3.4.5", "oid"},
        /* composite */
        {"DiagnosticReport?result.code-value-quantity=http://loinc.org|2823-3$gt5.4|" UCUM
         "|mmol/L",
         "high"},
        {"Observation?component-code-value-quantity=http://loinc.org|8480-6$lt60", "faint"},
        {"Group?characteristic-value=gender$mixed", "102"},
        {"Questionnaire?context-type-value=focus$http://snomed.info/sct|408934002", "focus"},
        /* special */
        {"Location?near=42.256500|-83.694810|11.20|km", "near"},
        {"Location?near=42.256500|-83.694810|100|km", "far near"},
        /* Signs with a meaning are escaped. */
        {"Basic?code=a\\$b\\,c\\|d\\\\e", "signs"},
        {"Basic?code=a\\$b", "a"},
        {"Basic?code=a\\$b,none", "a"},
    };
    EXPECT_ALL(rows);
}

static void its_examples_of_chains_and_of_what_is_contained_do_too(void **state)
{
    (void)state;
    put_examples();
    static const struct asked rows[] = {
        {"DiagnosticReport?subject.name=peter", "high"},
        {"DiagnosticReport?subject:Patient.name=peter", "high"},
        {"DiagnosticReport?subject:Group.name=peter", "STATUS_PARAMETER"}, /* it has none */
        {"Patient?general-practitioner.name=Joe&general-practitioner.address-state=MN", "23"},
        {"Patient?general-practitioner.name=Joe", "23 eve"},
        {"Patient?_has:Observation:patient:code=1234-5", "23"},
        {"Patient?_has:Observation:patient:code=2823-3&_has:Observation:patient:code=1234-5", "23"},
        {"Patient?_has:Observation:patient:_has:AuditEvent:entity:altid=MyUserId", "eve"},
        {"Encounter?patient._has:Group:member:_id=102", "enc"},
        {"MedicationRequest?medication.ingredient-code=abc", "MR"},
        {"MedicationRequest?medication.ingredient-code=abcde", ""},
    };
    EXPECT_ALL(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_examples_of_the_specification_find_what_they_say),
        STORE_TEST(its_examples_of_chains_and_of_what_is_contained_do_too),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
