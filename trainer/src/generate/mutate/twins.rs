//! Words that stand for each other in names: what a model remembers in place of the right one.

/// Verbs and nouns of functions, variables and types; each line is a group.
const NAMES: &str = "\
get fetch load read find lookup retrieve
add insert append push put attach
remove delete drop discard erase detach
create make build new produce
set assign update store write
begin start open launch
end stop close finish
send emit publish dispatch post
notify signal alert inform
parse decode interpret
encode serialize dump pack
render format draw display show
check validate verify ensure assert
run execute invoke perform apply
handle process consume serve
convert transform translate cast
map project
join merge combine concat
split divide partition break
sort order rank arrange
filter select pick choose query
reset clear flush empty purge
resolve settle complete
copy clone duplicate
move shift transfer
contains includes has holds
register subscribe enroll
wait sleep pause delay
schedule plan arrange
lock acquire hold
unlock release free
compute calculate evaluate
is has can
try attempt
to into as
count size length total number
index position offset cursor
key name id label
value item entry element
list items array sequence
table dict mapping lookup
config options settings params
request query call
response reply result answer
user account owner member
error failure fault problem
exception error failure
message text body content
path file location route
url uri link address
time date timestamp moment
first head start front
last tail end final
next following upcoming
previous prev former
max limit cap ceiling
min floor least
current active present
buffer cache pool
node leaf vertex
parent owner root
child leaf descendant
token word symbol
amount sum total quantity
row record line
column field cell
job task work unit
queue stack backlog
handler callback listener
context scope environment
client session connection
status state phase
type kind sort category
slot place cell
event signal message
group batch bundle
source origin input
target destination output
duration interval span
delay timeout wait
width breadth
height depth
color shade tint
price cost amount
stock inventory supply
book ledger journal
server host service
router dispatcher
writer printer
reader scanner
matrix grid tensor
point coordinate
weight mass load
left lower
right upper
old former previous
new fresh next
manager controller coordinator
builder factory maker
helper tool utility
counter tally meter
timer clock watch
store repository vault
draft sketch proposal
patch delta change
step stage phase
pipeline chain flow
middleware interceptor
attempt retry trial
map table dictionary registry
hash digest checksum
string text label
optional maybe nullable
collectors gatherers reducers
collector gatherer reducer
comparator comparer ranking
ordering order sequence
closure callable lambda
borrow lend share
instant moment timestamp
decimal rational fraction
objects values things
interface contract protocol
encoding charset codec
linq query enumerable
tasks jobs promises
threading concurrency parallelism
concurrent parallel threaded
atomic volatile synchronized
dataclass record struct
field property attribute
default initial base
annotations hints directives
callback hook effect
hook effect signal
review audit inspection
sum aggregate fold
mean average median
quantity amount volume
capacity limit space
pattern template regex
word term token
stamp mark tag
gone removed evicted
used spent occupied
weight size mass
recipe formula blueprint
produce generate yield
listeners observers subscribers
listener observer subscriber
emit fire trigger raise
drain flush exhaust
once single
attempts retries tries
random rand jitter
format layout style
link reference pointer
slug alias handle
visits hits views
redirect forward reroute
lines rows records
line row record
handle cursor stream
reader scanner parser
account wallet profile
total sum aggregate
after later following
before earlier preceding
shelves racks bins
shelf rack bin
day date weekday
minutes seconds hours
calendar agenda planner
conflict clash overlap
receive accept collect
round truncate ceil
match search test
sensor probe detector
reading sample measurement
channel stream pipe
path route trail
pathname route location
query search lookup
url uri href
status state code
notify inform alert
";

/// Parts of module paths.
const MODULES: &str = "\
utils helpers tools common shared support
util helper tool common support
types models schemas entities
type model schema entity
errors exceptions failures faults
error exception failure fault
http net web transport
config settings options conf
client api sdk connector
json yaml toml xml
logging logger logs journal
log logger journal
io streams files channels
collections containers structures
sync async locks guard
time clock dates calendar
math numbers arith numeric
string text chars
strings texts chars
path paths files location
fs files filesystem disk
events emitter signals observers
event emitter signal
regex patterns matcher
re regex patterns
crypto hashing cipher digest
cache memo pool
db database sql storage
auth login session identity
core base kernel main
handlers controllers views
router routes routing paths
service services provider
parser lexer reader scanner
random rand dice
queue tasks jobs
memory alloc heap
algorithm numeric sorting
vector array list
map dict table
thread threads fiber worker
atomic locks barrier
functional callable closures
iterator iterables ranges
exception errors failure
context scope session
encoding codec serial
dataclasses records structs
decimal fixed rational
functools compose callables
itertools iterators loops
typing types hints
stdexcept errors failures
cstdint integers fixedint
initializer_list init_list value_list
patches deltas changes
store repository vault
react view components
component widget element
algorithm procedures numeric
vector dynarray sequence
cstddef sizes basictypes
datetime dateclock calendar
csv tabular delimited
asyncio coroutines eventloop
annotations hints directives
util utility helpers
concurrent parallel threading
stream pipeline flow
math arithmetic numerics
hash hashing digest
atomic volatile lockfree
borrow lending sharing
bigmath bignum
errors faults problems
strconv parsing textconv
foundation core base
console terminal shell
request query input
response reply output
message payload body
user account member
collections groups
algorithm algo
concurrent sync
datetime clock
annotations notes
threading tasks
components parts
patches diffs
react dom
utility utils
exceptions errors
encoding codec
initializer_list init_list
stdexcept except
cstddef stddef
cstdint stdint
";

/// The words that stand for `word`, in names or in modules.
pub(super) fn of(word: &str, module: bool) -> Vec<&'static str> {
    let groups = if module { MODULES } else { NAMES };
    let mut found: Vec<&str> = groups
        .lines()
        .filter(|group| group.split(' ').any(|other| other == word))
        .flat_map(|group| group.split(' '))
        .filter(|other| *other != word)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Words that are no nouns, or have no plural that anyone writes.
const UNCOUNTED: &[&str] = &[
    "all", "async", "by", "of", "to", "in", "at", "on", "now", "is", "has", "get", "set", "new",
    "text", "json", "http", "info", "data", "util", "io", "std", "self", "base", "hash", "sync",
    "string",
];

/// The plural of a singular word, the singular of a plural.
pub(super) fn other_number(word: &str) -> Option<String> {
    if word.len() < 3 || !word.is_ascii() || UNCOUNTED.contains(&word) {
        return None;
    }
    if let Some(stem) = word.strip_suffix("ies") {
        return Some(format!("{stem}y"));
    }
    let hissing = |word: &str| ["s", "x", "ch", "sh"].iter().any(|end| word.ends_with(end));
    if let Some(stem) = word.strip_suffix("es").filter(|stem| hissing(stem)) {
        return Some(stem.to_owned());
    }
    if let Some(stem) = word.strip_suffix('s') {
        let plural = !stem.ends_with(['s', 'u', 'i']);
        return plural.then(|| stem.to_owned());
    }
    if hissing(word) {
        return Some(format!("{word}es"));
    }
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => Some(format!("{stem}ies")),
        _ => Some(format!("{word}s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_stands_once() {
        for groups in [NAMES, MODULES] {
            let mut seen = std::collections::HashSet::new();
            for group in groups.lines() {
                assert!(seen.insert(group), "{group}");
            }
        }
    }

    #[test]
    fn twins_and_numbers() {
        assert!(of("load", false).contains(&"fetch"));
        assert!(of("errors", true).contains(&"exceptions"));
        assert!(of("frobnicate", false).is_empty());
        for (word, expected) in [
            ("entry", Some("entries")),
            ("entries", Some("entry")),
            ("box", Some("boxes")),
            ("matches", Some("match")),
            ("slots", Some("slot")),
            ("key", Some("keys")),
            ("status", None),
            ("class", None),
            ("id", None),
        ] {
            assert_eq!(other_number(word).as_deref(), expected, "{word}");
        }
    }
}
