/* SPDX-License-Identifier: MIT */
/* Names common in the UK, put together at random: a person here is nobody. */
#include "synth/synth_int.h"

#define LIST(...)                                                                                  \
    {                                                                                              \
        (const char *const[]){__VA_ARGS__},                                                        \
            (unsigned)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))          \
    }

/* Given names by sex and by when the bearer was born: before 1955, to 1985, since. */
static const struct name_list british_men[3] = {
    LIST("John", "David", "Michael", "Peter", "Robert", "Brian", "Alan", "Derek", "Kenneth",
         "Ronald", "George", "Roy", "Raymond", "Dennis", "Terence", "Anthony", "Keith", "Malcolm",
         "Roger", "Geoffrey", "Gordon", "Norman", "Stanley", "Trevor", "Colin", "Graham", "Barry",
         "Donald", "Eric", "Frank", "Harold", "William"),
    LIST("Paul", "Andrew", "Mark", "Stephen", "Ian", "Simon", "Richard", "Christopher", "Matthew",
         "James", "Gary", "Neil", "Martin", "Philip", "Kevin", "Nicholas", "Timothy", "Stuart",
         "Darren", "Lee", "Jason", "Craig", "Wayne", "Adrian", "Jonathan", "Daniel", "Robert",
         "Adam", "Gareth", "Scott", "Carl", "Russell"),
    LIST("Jack", "Thomas", "Joshua", "Oliver", "Harry", "George", "Charlie", "Alfie", "Jacob",
         "Noah", "Oscar", "William", "James", "Leo", "Archie", "Freddie", "Theo", "Arthur", "Ethan",
         "Lewis", "Callum", "Connor", "Luke", "Ryan", "Liam", "Jake", "Samuel", "Benjamin",
         "Alexander", "Kieran", "Finley", "Toby"),
};
static const struct name_list british_women[3] = {
    LIST("Margaret", "Jean", "Patricia", "Barbara", "Joan", "Dorothy", "Sheila", "Maureen",
         "Brenda", "Shirley", "Doreen", "Joyce", "Pamela", "Beryl", "Audrey", "Sylvia", "Eileen",
         "Rita", "Ann", "Christine", "Janet", "Judith", "Valerie", "Marjorie", "Hazel", "Iris",
         "Irene", "Kathleen", "Marion", "Vera", "Gillian", "Susan"),
    LIST("Susan", "Karen", "Julie", "Jacqueline", "Tracey", "Deborah", "Sharon", "Alison", "Helen",
         "Sarah", "Nicola", "Lisa", "Joanne", "Michelle", "Claire", "Emma", "Samantha", "Louise",
         "Rachel", "Rebecca", "Victoria", "Amanda", "Angela", "Dawn", "Jane", "Caroline",
         "Elizabeth", "Catherine", "Wendy", "Kerry", "Donna", "Fiona"),
    LIST("Emily", "Jessica", "Chloe", "Sophie", "Olivia", "Amelia", "Isla", "Ava", "Grace", "Lily",
         "Ella", "Evie", "Mia", "Poppy", "Charlotte", "Lucy", "Hannah", "Megan", "Lauren",
         "Bethany", "Molly", "Freya", "Daisy", "Florence", "Ivy", "Willow", "Rosie", "Abigail",
         "Georgia", "Holly", "Eleanor", "Phoebe"),
};
static const struct name_list muslim_men = LIST(
    "Mohammed", "Ahmed", "Ali", "Hassan", "Ibrahim", "Imran", "Bilal", "Yusuf", "Omar", "Usman",
    "Abdul", "Hamza", "Tariq", "Khalid", "Zain", "Faisal", "Adnan", "Asif", "Nasir", "Rashid");
static const struct name_list muslim_women =
    LIST("Fatima", "Aisha", "Maryam", "Zainab", "Khadija", "Amina", "Nadia", "Samina", "Shazia",
         "Yasmin", "Sana", "Hafsa", "Rukhsana", "Noor", "Saima", "Farah", "Parveen", "Iqra",
         "Nasreen", "Sumaya");
static const struct name_list indian_men = LIST(
    "Raj", "Amit", "Sanjay", "Vijay", "Arjun", "Harpreet", "Gurpreet", "Manjit", "Jaspal", "Rohan",
    "Nikhil", "Kiran", "Suresh", "Ramesh", "Dilip", "Bhavesh", "Anil", "Rahul", "Karan", "Balbir");
static const struct name_list indian_women =
    LIST("Priya", "Anita", "Meera", "Sunita", "Kavita", "Harjit", "Manpreet", "Jasvinder", "Nisha",
         "Pooja", "Asha", "Rekha", "Simran", "Deepa", "Neha", "Hansa", "Lata", "Bhavna", "Anjali",
         "Kamaljit");
static const struct name_list african_men =
    LIST("Emmanuel", "Samuel", "Kwame", "Chidi", "Tunde", "Kofi", "Ayodele", "Tendai", "Daniel",
         "Joseph", "Femi", "Abdi", "Yaw", "Chinedu", "Blessing", "Isaac", "Olumide", "Kelvin");
static const struct name_list african_women = LIST(
    "Grace", "Blessing", "Chioma", "Abena", "Folake", "Esther", "Mercy", "Ngozi", "Ama", "Temitope",
    "Amara", "Ruth", "Adaeze", "Hodan", "Precious", "Yetunde", "Rutendo", "Comfort");
static const struct name_list chinese_men = LIST("Wei", "Jun", "Ming", "Hao", "Jian", "Kai", "Chun",
                                                 "Yong", "Alan", "Kevin", "Tony", "Lok");
static const struct name_list chinese_women =
    LIST("Mei", "Ling", "Xin", "Yan", "Hui", "Jing", "Siu", "Amy", "Grace", "Wing", "Fang", "Lan");
static const struct name_list european_men =
    LIST("Piotr", "Tomasz", "Andrei", "Marcin", "Krzysztof", "Marek", "Ion", "Luca", "Marco",
         "Joao", "Pedro", "Nikos", "Jan", "Pavel", "Andris", "Stefan", "Antoine", "Miguel");
static const struct name_list european_women =
    LIST("Anna", "Katarzyna", "Agnieszka", "Maria", "Elena", "Magdalena", "Ioana", "Giulia",
         "Sofia", "Marta", "Joanna", "Ewa", "Ana", "Irina", "Laura", "Daiva", "Camille", "Ines");

static const struct name_list british_family =
    LIST("Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Robinson",
         "Wright", "Thompson", "Evans", "Walker", "White", "Roberts", "Green", "Hall", "Wood",
         "Jackson", "Clarke", "Clark", "Harrison", "Scott", "Cooper", "King", "Davis", "Baker",
         "Martin", "Morris", "James", "Morgan", "Hughes", "Edwards", "Hill", "Moore", "Turner",
         "Watson", "Ward", "Allen", "Carter", "Parker", "Lewis", "Bennett", "Cook", "Bailey",
         "Shaw", "Young", "Mitchell", "Richardson", "Phillips", "Marshall", "Collins", "Cox",
         "Mason", "Simpson", "Ellis", "Rogers", "Adams", "Webb", "Foster", "Holmes", "Chapman",
         "Palmer", "Mills", "Barnes", "Knight", "Lloyd", "Butler", "Russell", "Barker", "Fisher",
         "Stevens", "Jenkins", "Dixon", "Fletcher", "Hunt", "Harvey", "Pearson", "Graham", "Gibson",
         "Howard", "Andrews", "Elliott", "Reynolds", "Ford", "Payne", "Fox", "Day", "Lawrence",
         "West", "Brooks", "Atkinson", "Bradley", "Dawson", "Armstrong", "Hartley");
static const struct name_list irish_family = LIST(
    "Murphy", "Kelly", "O'Sullivan", "Walsh", "O'Brien", "Byrne", "Ryan", "O'Connor", "O'Neill",
    "Doyle", "McCarthy", "Gallagher", "Doherty", "Kennedy", "Lynch", "Murray", "Quinn");
static const struct name_list pakistani_family =
    LIST("Khan", "Hussain", "Ahmed", "Ali", "Mahmood", "Iqbal", "Akhtar", "Malik", "Shah", "Mirza",
         "Butt", "Chaudhry", "Qureshi", "Aslam", "Bashir", "Rafiq", "Javed", "Sheikh");
static const struct name_list bangladeshi_family =
    LIST("Begum", "Miah", "Uddin", "Rahman", "Islam", "Choudhury", "Hoque", "Alam", "Khatun",
         "Ahmed", "Chowdhury", "Hossain");
static const struct name_list indian_family =
    LIST("Patel", "Singh", "Kaur", "Sharma", "Shah", "Gill", "Sandhu", "Dhillon", "Mistry", "Desai",
         "Joshi", "Kumar", "Gupta", "Chauhan", "Parmar", "Rai", "Bains", "Nair");
static const struct name_list african_family =
    LIST("Okafor", "Mensah", "Adeyemi", "Osei", "Boateng", "Okonkwo", "Adebayo", "Owusu", "Ndlovu",
         "Abdi", "Mohamed", "Asante", "Moyo", "Balogun", "Eze", "Hassan", "Olawale", "Banda");
static const struct name_list caribbean_family =
    LIST("Campbell", "Williams", "Brown", "Francis", "Grant", "Gordon", "Reid", "Powell", "Joseph",
         "Thomas", "Morrison", "Clarke", "Lewis", "Charles", "Alexander", "Bailey", "Henry");
static const struct name_list chinese_family =
    LIST("Chan", "Wong", "Li", "Chen", "Wang", "Zhang", "Lee", "Cheung", "Liu", "Lam", "Ho", "Ng",
         "Yang", "Tang");
static const struct name_list european_family =
    LIST("Nowak", "Kowalski", "Popescu", "Ionescu", "Rossi", "Silva", "Santos", "Wisniewski",
         "Kaminski", "Petrov", "Novak", "Garcia", "Ferreira", "Kazlauskas", "Papadopoulos",
         "Muller", "Dubois", "Horvath", "Costa", "Zielinski");

static const char *one_of(struct random *random, struct name_list list)
{
    return list.names[pick(random, list.count)];
}

const char *name_given(struct random *random, bool female, char ethnicity, int birth_year)
{
    switch (ethnicity) {
    case 'C':
        return one_of(random, female ? european_women : european_men);
    case 'H':
        return one_of(random, female ? indian_women : indian_men);
    case 'J':
    case 'K':
    case 'S':
        return one_of(random, female ? muslim_women : muslim_men);
    case 'L':
        return chance(random, 50) ? one_of(random, female ? indian_women : indian_men)
                                  : one_of(random, female ? muslim_women : muslim_men);
    case 'N':
        return one_of(random, female ? african_women : african_men);
    case 'R':
        return one_of(random, female ? chinese_women : chinese_men);
    default: {
        int cohort = birth_year < 1955 ? 0 : birth_year < 1986 ? 1 : 2;
        return one_of(random, female ? british_women[cohort] : british_men[cohort]);
    }
    }
}

const char *name_family(struct random *random, char ethnicity)
{
    switch (ethnicity) {
    case 'B':
        return one_of(random, irish_family);
    case 'C':
        return one_of(random, european_family);
    case 'F':
    case 'H':
        return one_of(random, indian_family);
    case 'J':
    case 'S':
        return one_of(random, pakistani_family);
    case 'K':
        return one_of(random, bangladeshi_family);
    case 'L':
        return chance(random, 50) ? one_of(random, indian_family)
                                  : one_of(random, pakistani_family);
    case 'M':
    case 'D':
    case 'P':
        return one_of(random, caribbean_family);
    case 'E':
    case 'N':
        return one_of(random, african_family);
    case 'R':
        return one_of(random, chinese_family);
    default:
        return one_of(random, british_family);
    }
}

/* Office for National Statistics, Census 2021, ethnic group, England; the census's Gypsy or Irish
 * Traveller and Roma are in C and its Arab in S, as in the NHS Data Dictionary's 2001 categories.
 */
const struct ethnic_group synth_ethnic_groups[ETHNIC_GROUPS] = {
    {'A', "White - British", 7350},
    {'B', "White - Irish", 90},
    {'C', "White - Any other White background", 660},
    {'D', "Mixed - White and Black Caribbean", 90},
    {'E', "Mixed - White and Black African", 40},
    {'F', "Mixed - White and Asian", 80},
    {'G', "Mixed - Any other mixed background", 80},
    {'H', "Asian or Asian British - Indian", 330},
    {'J', "Asian or Asian British - Pakistani", 280},
    {'K', "Asian or Asian British - Bangladeshi", 110},
    {'L', "Asian or Asian British - Any other Asian background", 170},
    {'M', "Black or Black British - Caribbean", 110},
    {'N', "Black or Black British - African", 260},
    {'P', "Black or Black British - Any other Black background", 50},
    {'R', "Other Ethnic Groups - Chinese", 80},
    {'S', "Other Ethnic Groups - Any other ethnic group", 220},
};

/* Real towns, so that distances and postcodes look right; the streets are invented. */
const struct place synth_places[PLACES] = {
    {"Leeds", "West Yorkshire", "LS"},     {"Manchester", "Greater Manchester", "M"},
    {"Bristol", "Bristol", "BS"},          {"Norwich", "Norfolk", "NR"},
    {"Leicester", "Leicestershire", "LE"}, {"Sunderland", "Tyne and Wear", "SR"},
    {"London", "Greater London", "SE"},    {"Birmingham", "West Midlands", "B"},
    {"Plymouth", "Devon", "PL"},           {"Bradford", "West Yorkshire", "BD"},
    {"Southampton", "Hampshire", "SO"},    {"Liverpool", "Merseyside", "L"},
};

const char *const synth_streets[] = {
    "Quillbrook Road",  "Tansyfield Lane", "Harrowmere Street", "Pennygate Close",
    "Oxlip Avenue",     "Millwheel Row",   "Larkspill Drive",   "Cobblesett Road",
    "Bramwick Terrace", "Fernacre Way",    "Thistlebank Court", "Otterholm Street",
    "Weavergate",       "Damsel Crescent", "Coppergrove Road",  "Saltersedge Lane",
    "Nettlecombe View", "Ryedown Avenue",  "Hobmoor Gardens",   "Sparrowhythe Road",
    "Kilnhurst Place",  "Amberley Rise",   "Wrenfold Street",   "Tollbeck Lane",
    "Candlemaker Row",  "Juniper Fold",    "Orchardside",       "Moorhen Walk",
    "Stonelark Road",   "Beacon Acre",     "Fallowfen Drive",   "Hawksdene Road",
};
const unsigned synth_street_count = sizeof synth_streets / sizeof synth_streets[0];
