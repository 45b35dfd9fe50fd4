"""Vocabulary of the grammar: words by tag, and words that mean nothing here."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "allow": "allowed permitted may",
    "neg": """
        not no never don't dont doesn't doesnt shouldn't shouldnt mustn't mustnt can't cannot cant won't
        wont nor neither none nothing nobody without refrain avoid avoiding isn't didn't wouldn't stop
        prevent forbidden forbid forbids prohibited prohibit disallowed banned unacceptable intolerable suspend
        suspended
    """,
    "below": "below under beneath < underneath",
    "above": "above exceed exceeds exceeding exceeded beyond surpass past >",
    "over": "over",
    "less": "less lesser lower smaller fewer",
    "more": "busier heavier more greater higher larger bigger worse additional extra",
    "than": "than",
    "better": "better",
    "atleast": "atleast minimum minimal least floor >= ≥ minimally => guaranteed",
    "atmost": "atmost maximum maximal max most <= ≤ =< within ceiling tops topmost",
    "min": "min mins",
    "freeze": """
        freeze freezes frozen froze freezing untouched unchanged unmodified alone pause static lock locks locked
        locking unaltered constant
    """,
    "change": """
        change changes changed changing touch touches touched touching modify modifies modified modifying
        modification modifications alter alters altered altering move moves moved moving adjust adjusted
        adjusting adjustment adjustments reconfigure reconfigured tweak tweaked tweaking mess messing fiddle
        fiddling reallocation reallocations tamper tampering step steps jump jumps shift shifts shifted reallocate
        rebalance
    """,
    "save": "save saves saving savings saved economise economize shave conserve",
    "cost": """
        cost costs costing expense expenses bill bills budget spend spending opex money cheap cheaper
        carbon co2 emissions footprint
        cheapest cheaply economical economically frugal frugally thrifty energy power electricity consumption
        consume green eco
    """,
    "reduce": """
        reduce reduces reduced reducing reduction cut cuts cutting trim trimming decrease decreases
        decreasing decreased shrink shrinks lowering lowered squeeze minimise minimize minimised minimized
        minimising minimizing minimisation drop drops dropped dropping fall falls falling fell decline
        declines halve halves halved slash
    """,
    "raise": """
        raise raises raised raising increase increases increased increasing rise rises rising rose grow
        grows growing growth up boost boosted push pushes climb climbs jumped improve improves improved
        improving improvement upsurge speed
    """,
    "sla": "sla slas sla's slo slos agreement agreements",
    "break": """
        break breaks breaking broken breach breaches breaching violate violates violated violating violation
        violations hurt hurting harm harming miss missing endanger jeopardise jeopardize sacrifice
        sacrificing
    """,
    "hold": """
        hold holds holding held keep keeps keeping kept maintain maintains maintained maintaining stay stays
        staying remain remains remaining ensure ensures ensuring respect respected meet meets met honour
        honor preserve sacred survive survives satisfy satisfied leave leaves left leaving must shall should
    """,
    "prio": """
        prio prioritise prioritize prioritised prioritized prioritising prioritizing prioritisation favour favor
        favours prefer preferred preference precedence priority priorities
    """,
    "important": "important importance matter matters worth counts weight weights weigh weighs",
    "deprio": "deprioritise deprioritize deprioritised deprioritized",
    "before": "before ahead",
    "win": "win wins beat beats trump trumps outrank outranks outweigh outweighs",
    "ranking": "rank ranks ranked ranking",
    "first": "first",
    "second": "second secondly seconds",
    "third": "third thirdly thirds",
    "last": "last lasts lasting",
    "wait": "wait",
    "reserve": """
        entitled deserves deserve owed belong belongs
        reserve reserves reserved reserving guarantee guarantees guaranteed guaranteeing secure secured
        dedicate dedicated allot allotted allocate allocated earmark grant granted give gives given giving
        get gets getting got receive receives received obtain obtains assign assigned need needs want
        provide provided serve served serving see have has had allocation allotment
    """,
    "cap": """
        cap caps capped capping limit limits limited limiting restrict restricts restricted throttle
        throttled bound lid
    """,
    "pin": "nail nailed pin pins pinned fix fixed exactly precisely set",
    "excluded": "excluding excepting outside",
    "demand": """
        traffic load loads demand demands surge surges surging volume volumes peak peaks crowd crowds
        workload uptake influx
    """,
    "expect": """
        expect expects expected expecting forecast forecasts forecasted anticipate anticipates anticipated
        predict predicted prepare prepares prepared preparing plan plans planned planning assume figure
        foresee brace reckon reckons reckoned reckoning envisage envisaged projected
    """,
    "maint": """
        worked
        working
        maintainance maintenence maintanance
        maintenance maint servicing repair repairs repaired works work upgrade upgraded upgrades downtime
        outage splicing spliced respliced splice swap swapping replacement replaced replacing serviced
        reterminated repointed recabled rewired retuned recalibrated refurbished retensioned
        realign realigning realigned realignment swapped overhauled overhaul
    """,
    "down": """
        severed gone down dead dark offline unavailable broken out-of-service disconnected unplugged snapped chopped
        uprooted destroyed unusable unreachable damaged
    """,
    "fail": "failure failures fail fails failed failing",
    "lose": "lose loses losing",
    "degrade": "degrade degraded degrades degradation flaky impaired fading fades faded wobbly unstable crippled",
    "capacity": "capacity capacities",
    "overload": """
        overload overloads overloaded overloading congest congested congesting congestion saturate
        saturating saturated overuse clog clogging swamp swamping
    """,
    "relieve": "relieve relieves relieving relief offload offloading decongest unload unburden",
    "hotspot": "hotspot hotspots",
    "risk": "risk risks probability chance likelihood odds",
    "confidence": "confidence conf certainty confident sure certain",
    "delay": "delay delays latency latencies lag lags tail dly lat",
    "p99": "p99 ninetyninth",
    "percentile": "percentile percentiles quantile",
    "mean": "mean average averages avg averaged typical",
    "median": "median",
    "jitter": "jitter availability uptime mos qoe rtt bler sinr rsrp cqi handover handovers",
    "loss": "loss losses lost drop-rate per plr",
    "delivered": "delivered reliability reliable delivery success successfully arrive arrives arriving",
    "packet": "packet packets error errors ratio rate pkt pkts frame frames message messages datagram datagrams",
    "throughput": "throughput throughputs goodput bitrate rates datarate speeds thr thrpt thruput thru tput tpt",
    "util": "utilisation utilization utilised utilized occupancy occupied usage used busy utilise util utils loaded",
    "prb": "prb prbs radio spectrum carrier",
    "resource": "resource resources",
    "bandwidth": "bandwidth bandwidths bw",
    "share": "share shares portion slicequota quota quotas",
    "transport": "transport backhaul fronthaul",
    "cellnoun": "cell cells site sites sector sectors",
    "zonenoun": "zone zones area areas region regions district districts",
    "slicenoun": "slice slices",
    "linknoun": """
        link links fibre fibres fiber fibers hop hops connection connections path paths uplink downlink
        spoke spokes
    """,
    "nodenoun": "node nodes",
    "all": "all every each any everything everywhere anything anywhere whatever whole entire",
    "only": "only",
    "there": "there",
    "pronoun": "it its them they their that those these this",
    "urgent": "urgent urgently",
    "high": "high highest top",
    "low": "low lowest small minor",
    "event": """
        event events match game concert festival fair marathon parade derby fireworks exercise ceremony
        conference congress rally race demonstration carnival exhibition drill tournament summit feast gala regatta gig opera
        premiere inauguration graduation auction blasting procession pilgrimage fete fest concerts festivals matches games
        championship championships playoff playoffs triathlon halfmarathon symposium hackathon convention pageant
        jamboree motocross slalom biathlon funeral coronation jubilee rodeo airshow homecoming
    """,
    "cond": "if unless whenever once",
    "during": "during throughout amid",
    "while": "while whilst when as-long-as meanwhile meantime",
    "double": "double doubles doubled doubling twice twofold",
    "triple": "triple triples tripled thrice threefold",
    "quadruple": "quadruple quadruples quadrupled fourfold",
    "times": "times fold x × factor",
    "usual": "usual usually normal normally ordinary nominal regular baseline",
    "reach": "reach reaches",
    "from": "from",
    "to": "to",
    "by": "by",
    "of": "of",
    "in": "in",
    "at": "at @",
    "on": "on",
    "with": "with",
    "for": "for",
    "and": "and & plus + also",
    "or": "or",
    "but": "but however though although yet",
    "then": "then",
    "afterthat": "thereafter afterwards afterward",
    "until": "until till til",
    "between": "between",
    "after": "after since",
    "next": "next coming following upcoming",
    "start": "start starts starting begin begins beginning effective",
    "now": "now immediately",
    "today": "today",
    "tonight": "tonight overnight tonite overnite",
    "tomorrow": "tomorrow tmrw",
    "yesterday": "yesterday",
    "morning": "morning",
    "afternoon": "afternoon",
    "evening": "evening",
    "night": "night nights",
    "weekend": "weekend",
    "week": "week weekly month monthly months weeks",
    "weekday": "monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun tues thurs",
    "monthname": """
        january february march april june july august september october november december jan feb mar
        apr jun jul aug sep sept oct nov dec
    """,
    "noon": "noon midday",
    "midnight": "midnight",
    "ampm": "am pm a.m p.m",
    "oclock": "o'clock oclock",
    "rush": """
        sometimes occasionally later soon shortly eventually sporadically rush lunch lunchtime breakfast dinnertime
    """,
    "daily": """
        daily nightly hourly weekdays weekends mondays tuesdays wednesdays thursdays fridays saturdays sundays mornings
        evenings afternoons
    """,
    "holiday": "christmas xmas easter ramadan diwali thanksgiving pentecost whitsun holidays vacation",
    "performance": "performance quality",
    "place": """
        downtown uptown mall airport hospital stadium station port harbour harbor campus school park market
        beach city centre center suburb suburbs village university resort plant factory mine church tunnel
        bridge square arena corridor highway motorway docks terminal museum valley district
    """,
    "slicetype": """
        embb urllc mmtc miot mtc v2x fwa iot gaming voice video gold silver platinum bronze broadband mbb
        volte vonr mcptt
    """,
    "ask": "why how what who where which whose",
    "action": """
        restart reboot deploy undeploy scale block unblock route install uninstall delete remove disable
        enable approve reject book order write tell print send shut activate deactivate run execute call
        ignore disregard forget bypass override pretend act open close create destroy format erase wipe
        upload download reveal show list dump apply switch power-off reset tilt rotate email add translate
        explain drop-table sudo bypassing unlock escalate
    """,
    "about": "about approximately roughly around approx circa nearly some say something ca ish",
    "zero": "zero",
    "hundred": "hundred hundreds",
    "half": "half",
    "quarter": "quarter quarters",
    "fraction": "fifth fifths sixth tenth tenths eighth twentieth hundredth thousandth",
    "unit": """
        us μs ms msec msecs millisecond milliseconds microsecond microseconds s sec secs minute minutes hour
        hours hr hrs h day days percent pct percentage point points pts pt pp kbps mbps gbps kbit mbit gbit
        kilobit kilobits megabit megabits gigabit gigabits meg megs gig gigs kb mb gb bps
    """,
    "cardinal": """
        one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety thousand fourty
    """,
}
"""Tag to words."""

FILLER = """
regard regards regarded deem deemed
asap emergency worst far hit hits hitting 's a able accept acceptable acceptance accepted accepts accordingly
achieve achieved achieves across
action actions
additionally admin afford affords again against agree agreed aim aiming aims alarm alarms allow allowed allows almost
along already always ambulance ambulances among amount amounts an another antenna antennas anymore anyone anyway apart
api appear appeared appears applied applies appreciate are as ask asked asks assistant authority autumn away back barely
base based bases basis be because been being believe besides best beta big birth bit black blue board body bold boss
both bottom bounds bring brings brought build building built bus buses calls came can car card care careful carefully
carries carry carrying cars cart case cases cause certainly charge charged charges chart child children cleaning clear
clearly closely cold colleagues combined come comes companies company compared comparison complain complaining complaint
completely condition conditions constraint constraints container containers control controlled controlling controls core
could count counting counts crane cranes crazy crew crews critical crucial cruise current currently customer customers
dam data deal dealing dealt dear decision decisions default degree degrees desire desired despite did difference
different dispatch dispatcher do doctor doctors does doing done drone drones due duration duty earlier earliest early
easily east easy either end end-to-end engineers enough enterprise enterprises equal equally equals essential even ever
everybody everyone exams except experience experienced experiences fairly family fast favourite feel feels felt few
field fields figures film final finally finance find fine folks food foot form forms found free friend friends front
full fully fun further furthermore gain gained gains gave girl glad glass global gnb go goal goals goes going gone gonna
good grateful great ground group guardrail guardrails guess guys ha hand handle handled hands happen happened happening
happens happy hard hardly having he head heads hear heard heart hello hence her here herself hey hi highly himself his
hole home honest hope hoped hospital's host hosting hosts house huge i i'd i'll i'm if incident individual industrial
inform informed inner inside inspection installers instead instruction instructions intent intents into invoice is issue
issues it's itself joke just key keys kids kind kindly know known knows large largest lastly late later latest let let's
lets level levels liaison like line lines little live lives local long longer longest look looked looking looks lot lots
love machine machines madam made mail main make makes male man manage managed management manages managing many maybe
measured measurement measuring men middle might mind minded minds mode model mold moment moments monitor monitored
monitoring moreover much music my myself name names namespace near nearby needed nervous network networks nevertheless
new news nginx noc nonetheless nope north note notice number numbers nurse nurses objective objectives observe observed
obviously occur occurring occurs off office often ok okay old once one's onto operation operations operator operators
optimisation optimise optimised optimize optimized other others otherwise our ourselves out outer outside overall paid
part parts pass passed passes passing password passwords patience patient patients pay pays people perceive perhaps
period periods permit permits permitted pizza place placed places plain please pls plz pod pods poem police policies
policy ports possible present presently pretty previous price prices prior probably problem problems prompt providing
proviso put puts quick quickly quiet quite range ranges rarely rather reached read ready real really regarding
regardless relation relative remember replica replicas request requested requesting requests require required
requirement requirements requires respective respectively rest right rnoc road road's roads robot robots root round
router rule rules running safe said same says schedule scheduled schools secret secrets seeing seem seemed seems seen
sees seldom sense sensor separately server servers service services she ship short shorter shortest should've side
similar similarly simple simply sir size sizes slow slowly smallest so soft sold somebody someone sometimes somewhat
soon sort sound south spare sport sports spring staff still stories story streaming strict strictly student students
subject subscribers such suffice suffices sufficient sum summer surgery system table take taken takes taking target
targets teacher team term terms test testing tests thank thanks that'll that's the themselves there's therefore they're
thing things think threshold thresholds through thus thx ticket tickets time tiny today's together token tokens told
tolerate tolerated tolerates tomorrow's tonight's too took total totally tourists toward towards town's train trains
trial tries trouble truck trucks trust trusts try trying upf uploads upon upper urllc's use user users uses using value
values vehicle vehicles versus very via vital vs wants was watch watching way ways we we'd we're we've weather week's
well were west whenever wherever whether whichever whoever whom will winter wise wish wishes wishing woman women wonder
world worried worries worry worrying worth would would've yeah yes you you're your yourself
nines dozen million mille permille promille procent subject reminder remainder update fyi info todo greet enjoy re fwd
treat treated regard regarded deem deemed
god gods ones wanted promised promises sake hell damn bloody damned sick tired boss mate guys lads chief cheers
regards sincerely respectfully
yours honestly
meeting meetings mover vice voices wide wise rice race fund funds lunch coffee visitor visitors guest guests citizen
citizens
mayor minister contract contracts client clients ward wards nursing clinic shop shops mall malls hotel hotels ferry
frankly
ferries tram trams metro subway taxi taxis truckers driver drivers worker workers employee employees manager
managers director
desk floor floors gate gates hall halls stage stages ring rings loop loops quay mast offices building buildings
avenue hill hills lake river coast beaches island
"""
"""Words without a meaning here; listed so that they are not taken for misspelt ones."""

NAMING = """
ambulance ambulances antenna bus buses car cars cart child children cleaning companies company container containers core
crane cranes crew crews cruise customer customers dam doctor doctors drone drones east enterprise enterprises family
field
fields film finance global gnb hospital's house industrial inner kids line lines machine machines music news north nurse
nurses office operations outer patient patients police ports road roads robot robots school schools sensor server
servers
ship south sport sports staff student students subscribers surgery tourists train trains truck trucks vehicle
vehicles west
ward wards clinic shop shops mall malls hotel hotels ferry ferries tram trams metro subway taxi taxis gate gates
hall halls
stage ring loop quay mast offices hill hills lake river coast island guest guests visitor visitors voice client clients
admin dispatch citizen citizens employee employees authority avenue beaches emergency finances floors friends installers
liaison mayor nursing race rings stages streaming truckers alarm alarms
"""
"""Of those, what things are named after: a name of the network made of them is read as a name wherever it stands."""

NAMING_PARTS = """
building buildings control data desk floor group level machine management manager meeting operation service services
team test
user users worker workers driver drivers critical customer medical response
"""
"""What names of several words have in them; alone they are ordinary words."""
