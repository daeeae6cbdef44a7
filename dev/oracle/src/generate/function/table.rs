//! Every function of Helm's map: what it gives and what it wants.

/// A line for each function: the class of its result, its name, the classes of its arguments. `*` is any number of
/// these, `?` is none or one.
pub const TABLE: &str = "
any and any any*
any or any any*
bool not any
int len any
any index any key*
any slice any int*
any call any*
text html any*
text js any*
text urlquery any*
text print any*
text println any*
text printf format any*
bool eq any any*
bool ne any any
bool lt any any
bool le any any
bool gt any any
bool ge any any

text hello
text ago time
text date layout time
text date_in_zone layout time zone
text dateInZone layout time zone
time date_modify span time
time dateModify span time
time must_date_modify span time
time mustDateModify span time
text duration span
text durationRound span
text htmlDate time
text htmlDateInZone time zone
time toDate layout moment
time mustToDate layout moment
text unixEpoch time

text abbrev int text
text abbrevboth int int text
text trunc int text
text trim text
text upper text
text lower text
text title text
text untitle text
text substr int int text
text repeat small text
text trimall text text
text trimAll text text
text trimSuffix text text
text trimPrefix text text
text nospace text
text initials text
text swapcase text
text snakecase text
text camelcase text
text kebabcase text
text wrap small text
text wrapWith small text text
bool contains text text
bool hasPrefix text text
bool hasSuffix text text
text quote any*
text squote any*
text cat any*
text indent small text
text nindent small text
text replace text text text
text plural text text int
text sha1sum text
text sha256sum text
text sha512sum text
text adler32sum text
text toString any

int atoi number
int int64 number
int int number
float float64 number
text seq small*
int toDecimal number
dict split text text
list splitList text text
dict splitn text small text
list toStrings any
list until small
list untilStep small small small
int add1 number
int add number*
int sub number number
int div number number
int mod number number
int mul number number*
float add1f number
float addf number*
float subf number number*
float divf number number*
float mulf number number*
int biggest number number*
int max number number*
int min number number*
float maxf number number*
float minf number number*
float ceil number
float floor number
float round number small float?

text join text list
list sortAlpha list

any default any any?
bool empty any
any coalesce any*
bool all any*
bool any any*
list compact list
list mustCompact list
any fromJson json
any fromJsonArray json
any mustFromJson json
text toJson any
text mustToJson any
text toPrettyJson any
text mustToPrettyJson any
text toRawJson any
text mustToRawJson any
any ternary any any bool
any deepCopy any
any mustDeepCopy any
text typeOf any
bool typeIs type any
bool typeIsLike type any
text kindOf any
bool kindIs type any
bool deepEqual any any
text getHostByName host

text base path
text dir path
text clean path
text ext path
bool isAbs path
text osBase path
text osClean path
text osDir path
text osExt path
bool osIsAbs path
text b64enc text
text b64dec base64
text b32enc text
text b32dec base64

list tuple any*
list list any*
dict dict pair*
any get dict key
dict set fresh key any
dict unset dict key
bool hasKey dict key
list pluck key dict*
list keys dict*
dict pick dict key*
dict omit dict key*
dict merge fresh fresh*
dict mergeOverwrite fresh fresh*
dict mustMerge fresh fresh*
dict mustMergeOverwrite fresh fresh*
list values dict
list append list any
list push list any
list mustAppend list any
list mustPush list any
list prepend list any
list mustPrepend list any
any first list
any mustFirst list
list rest list
list mustRest list
any last list
any mustLast list
list initial list
list mustInitial list
list reverse list
list mustReverse list
list uniq list
list mustUniq list
list without list any*
list mustWithout list any*
bool has any list
bool mustHas any list
any mustSlice list small*
list concat list*
any dig key key* any dict
list chunk small list
list mustChunk small list

any semver version
bool semverCompare constraint version
text fail text
bool regexMatch regex subject
bool mustRegexMatch regex subject
list regexFindAll regex subject small
list mustRegexFindAll regex subject small
text regexFind regex subject
text mustRegexFind regex subject
text regexReplaceAll regex subject replacement
text mustRegexReplaceAll regex subject replacement
text regexReplaceAllLiteral regex subject replacement
text mustRegexReplaceAllLiteral regex subject replacement
list regexSplit regex subject small
list mustRegexSplit regex subject small
text regexQuoteMeta text
dict urlParse url
text urlJoin parts

text toToml any
text mustToToml any
text toYaml any
text mustToYaml any
text toYamlPretty any
any fromYaml yaml
any fromYamlArray yaml
any mustToDuration span
float durationSeconds span
int durationMilliseconds span
int durationMicroseconds span
int durationNanoseconds span
float durationMinutes span
float durationHours span
float durationDays span
float durationWeeks span
any durationRoundTo span span
any durationTruncateTo span span
text include template any
text tpl source any
any required text any
dict lookup text text text text
";

/// What draws randomness, or asks the clock: only the shape of its result can be compared. Cheap ones.
pub const SHAPES: &[&str] = &[
    "{{ now | typeOf }} {{ now | date \"2006\" | len }}",
    "{{ ago now }}",
    "{{ randAlphaNum 9 | regexMatch \"^[0-9A-Za-z]{9}$\" }}",
    "{{ randAlpha 9 | regexMatch \"^[A-Za-z]{9}$\" }}",
    "{{ randAscii 9 | len }}",
    "{{ randNumeric 9 | regexMatch \"^[0-9]{9}$\" }}",
    "{{ randNumeric SMALL | len }} {{ randAlpha SMALL | len }}",
    "{{ randBytes 12 | b64dec | len }} {{ randBytes SMALL | len }}",
    "{{ randInt 3 4 }}",
    "{{ randInt SMALL SMALL | typeOf }}",
    "{{ shuffle TEXT | len }}",
    "{{ shuffle \"aaa\" }}",
    "{{ uuidv4 | regexMatch \"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$\" }}",
    "{{ TEXT | encryptAES TEXT | typeOf }}",
    "{{ encryptAES \"k\" TEXT | decryptAES \"k\" }}",
    "{{ decryptAES TEXT TEXT }}",
    "{{ buildCustomCert TEXT TEXT | typeOf }}",
    "{{ genPrivateKey \"ecdsa\" | regexFind \"BEGIN [A-Z ]*\" }}",
    "{{ genPrivateKey \"ed25519\" | regexFind \"BEGIN [A-Z ]*\" }}",
    "{{ genPrivateKey \"ed25519\" | len }}",
    "{{ genPrivateKey TEXT }}",
    // The words of a mistake are another parser's.
    "{{ $t := fromToml TOML }}{{ if hasKey $t \"Error\" }}mistake{{ else }}{{ toJson $t }}{{ end }}",
    "{{ $t := fromToml TEXT }}{{ if hasKey $t \"Error\" }}mistake{{ else }}{{ $t }}{{ end }}",
];

/// The same, but dear.
pub const DEAR_SHAPES: &[&str] = &[
    "{{ bcrypt TEXT | regexMatch \"^[$]2a[$]10[$].{53}$\" }}",
    "{{ htpasswd \"u\" TEXT | regexMatch \"^u:[$]2a[$]10[$].{53}$\" }}",
    "{{ htpasswd TEXT \"p\" | regexMatch \":\" }}",
    "{{ htpasswd \"u\" TEXT \"sha\" }}",
    "{{ derivePassword SMALL \"long\" TEXT TEXT TEXT }}",
    "{{ derivePassword 1 TEXT TEXT TEXT TEXT }}",
    "{{ derivePassword 2 \"maximum\" \"p\" \"u\" TEXT }}",
    "{{ derivePassword 2 \"pin\" \"p\" \"u\" \"x\" }}",
    "{{ $c := genCAWithKey TEXT SMALL (genPrivateKey \"ecdsa\") }}{{ $c.Cert | regexFind \"BEGIN [A-Z ]*\" }}",
    "{{ $c := genSelfSignedCertWithKey TEXT nil (list TEXT) SMALL (genPrivateKey \"ed25519\") }}{{ typeOf $c }}",
    "{{ $k := genPrivateKey \"ecdsa\" }}{{ $c := genCAWithKey \"ca\" 3 $k }}\
     {{ $d := genSignedCertWithKey \"x\" (list \"10.0.0.1\" TEXT) (list \"a.b\") 3 $c (genPrivateKey \"ecdsa\") }}\
     {{ $d.Key | regexFind \"BEGIN [A-Z ]*\" }}",
    "{{ genSignedCert \"x\" nil nil 1 TEXT }}",
    "{{ $c := genCA \"ca\" 1 }}{{ $c.Key | regexFind \"BEGIN [A-Z ]*\" }} {{ typeOf $c }}",
    "{{ $c := genSelfSignedCert \"x\" (list) (list \"a\") 1 }}{{ $c.Cert | regexFind \"BEGIN [A-Z ]*\" }}",
];
