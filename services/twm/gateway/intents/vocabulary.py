"""Vocabulary of the grammar: words and phrases by tag, and words that mean nothing here."""

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
        throttled bound
    """,
    "pin": "pin pins pinned fix fixed exactly set",
    "excluded": "excluding excepting outside",
    "demand": """
        traffic load loads demand demands surge surges surging volume volumes peak peaks crowd crowds
        workload uptake influx
    """,
    "expect": """
        expect expects expected expecting forecast forecasts forecasted anticipate anticipates anticipated
        predict predicted prepare prepares prepared preparing plan plans planned planning assume figure
        foresee brace
    """,
    "maint": """
        worked
        working
        maintenance maint servicing repair repairs repaired works work upgrade upgraded upgrades downtime
        outage splicing spliced respliced splice swap swapping replacement replaced replacing serviced
        realign realigning realignment
    """,
    "down": "severed gone down dead dark offline unavailable broken out-of-service disconnected",
    "fail": "failure failures fail fails failed failing",
    "lose": "lose loses losing",
    "degrade": "degrade degraded degrades degradation flaky impaired",
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
    "share": "share shares portion allotments slicequota quota quotas",
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
        conference congress rally race demonstration carnival exhibition drill tournament
    """,
    "cond": "if unless whenever once",
    "during": "during throughout amid",
    "while": "while whilst when as-long-as meanwhile meantime",
    "double": "double doubles doubled doubling twice",
    "triple": "triple triples tripled thrice",
    "quadruple": "quadruple quadruples quadrupled",
    "times": "times fold x × factor",
    "usual": "usual usually normal normally ordinary nominal regular baseline",
    "reach": "reach reaches",
    "from": "from",
    "to": "to",
    "by": "by",
    "of": "of",
    "in": "in",
    "at": "at",
    "on": "on",
    "with": "with",
    "for": "for",
    "and": "and & plus + also",
    "or": "or",
    "but": "but however though although yet",
    "then": "then",
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
god gods sake hell damn bloody damned sick tired boss mate guys lads chief cheers regards sincerely respectfully
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
"""
"""Of those, what things are named after: a name of the network made of them is read as a name wherever it stands."""

NAMING_PARTS = """
building buildings control data desk floor group level machine management manager meeting operation service services
team test
user users worker workers driver drivers critical customer medical response
"""
"""What names of several words have in them; alone they are ordinary words."""


PHRASES: dict[str, str] = {
    "during": "for the duration of | over the duration of | for the length of | in the course of",
    "dayend": "the end of the day | end of the day | end of day | the end of today | close of day",
    "monthend": """
        the end of the month | end of the month | end of month | the end of this month | month end | month - end
    """,
    "yearend": "the end of the year | end of the year | end of year | the end of this year | year end | year - end",
    "overmorrow": "the day after tomorrow | day after tomorrow",
    "after": "not before | no earlier than | not earlier than | no sooner than | not sooner than",
    "holiday": "new year 's eve | new year's eve | christmas eve | new year | bank holiday",
    "orbetter": "or better",
    "pin": "no more no less | no more , no less | no more and no less | not more and not less | no less and no more",
    "atleast": """
        no less | not less | not a bit less | nothing less | nothing below |
        at least | no less than | not less than | no fewer than | not under | not below | no lower than |
        not lower than | not fewer than | never less than | or more | or higher | or above | or greater | and above |
        and more |
        and up | upwards of | as a minimum | at the least | or over | as minimum | at minimum | at a minimum |
        no smaller than | at or above
    """,
    "atmost": """
        no more | not more | not a bit more | nothing above | nothing more than | make do with | makes do with |
        get by with | live with |
        at most | no more than | not more than | not exceed | not exceeding | not over | not above |
        no higher than | not higher than | no greater than | not greater than | no larger than | not larger than |
        or less | or lower | or below | or under |
        or fewer | up to | at the most | as a maximum | as maximum | at maximum |
        not beyond | no bigger than | at the outside | at or below | at or under | no longer than | or smaller |
        at worst |
        in the worst case | worst case |
        not any higher than | down to
    """,
    "freeze": """
        as it is | as they are | as is | as it was | as they were | off limits | hands off | keep off |
        stay off | stay away from | keep away from | off-limits | stays put | stay put | stay the same |
        remain the same | remains the same | stays the same | in its present state | leave be | off them |
        keep your hands off | take your hands off | as-is | fingers off | keep your fingers off | where they are |
        where it is | as it stands | as they stand | leave in peace | stay clear of
    """,
    "down": """
        is out | are out | be out | is gone | are gone | be gone |
        out of service | out of order | taken out | going down | goes down | go down | taken down |
        shut down | will be down | not available | carries nothing | carry nothing | out of action | off air |
        off the air | switched off | turned off | taken offline
    """,
    "loss": """
        packet loss | loss rate | loss ratio | packet loss rate | packet loss ratio | packet error rate |
        packet error ratio | error rate | error ratio | drop rate | packet drop rate | packet drops |
        packets lost | lost packets | dropped packets | packets dropped | loss of packets | drop ratio |
        packet drop | volume lost | lost volume | lose packets | loses packets | packets are lost
    """,
    "delivered": """
        delivery ratio | delivery rate | packet delivery | packets delivered | success rate |
        service reliability | get through | gets through | getting through | go through | make it through
    """,
    "delay": """
        response time | end to end delay | end-to-end delay | end to end latency | end-to-end latency |
        packet delay | tail latency | tail delay | delay bound | latency bound | reaction time
    """,
    "p99": """
        99th percentile | 99 th percentile | ninety-ninth percentile | ninety ninth percentile |
        99 percentile | 99th quantile
    """,
    "mean": "on average | in the mean",
    "throughput": """
        data rate | bit rate | served load | served rate | served throughput | user rate | download speed |
        upload speed | served volume
    """,
    "prb": """
        resource block | resource blocks | physical resource blocks | physical resource block |
        radio resources | radio resource | air interface | radio share | radio shares | prb share |
        prb shares | resource block share
    """,
    "bandwidth": """
        bandwidth share | bandwidth shares | transport share | transport capacity | link capacity |
        transport bandwidth | link bandwidth
    """,
    "util": """
        prb utilisation | prb utilization | prb usage | radio utilisation | radio utilization | prb load |
        radio load | link utilisation | link utilization | link load | resource utilisation |
        resource utilization
    """,
    "sla": """
        service level agreement | service level agreements | service levels | service-level agreements |
        service-level agreement | service level objectives
    """,
    "slagood": "stay green | stays green",
    "anycost": """
        at any cost | at all costs | whatever it costs | whatever the cost | regardless of cost |
        regardless of the cost | cost is no object | money is no object | no matter the cost |
        no matter what it costs | cost does not matter | cost doesn't matter | at any price |
        whatever the price | performance first | quality first | performance over cost | quality over cost |
        performance before cost | cost is secondary | cost is not an issue | cost is no issue | cost is irrelevant |
        whatever it takes | no expense spared | spare no expense | spare no cost | money plays no role |
        cost plays no role |
        never mind the cost | never mind the costs | hang the cost | without regard to cost |
        without regard to the cost |
        irrespective of cost | irrespective of the cost | even at higher cost | whatever it may cost |
        at whatever cost |
        at whatever price | no matter how expensive
    """,
    "cost": """
        economy mode | power saving mode | energy saving mode | saving mode | power saving |
        power consumption | energy consumption | operating cost | operating costs | control cost |
        energy bill | power bill | green mode | eco mode | energy use | energy usage | electricity bill
    """,
    "prio": """
        takes precedence | take precedence | comes first | come first | goes first | go first |
        top priority for
    """,
    "relieve": """
        take load off | take the load off | take some load off | take pressure off | take the pressure off | free up
    """,
    "lose": "capacity loss | loss of capacity | lost capacity | reduced capacity | capacity reduction",
    "excluded": "except for | apart from | other than | with the exception of | aside from | save for",
    "urgent": """
        highest priority | top priority | most urgent | utmost priority |
        maximum priority
    """,
    "highprio": "high priority",
    "lowprio": "low priority | not urgent",
    "lowestprio": "lowest priority | no hurry | no rush | when convenient | whenever convenient",
    "lessimportant": """
        less important | least important | less weight | lower priority | lower weight | best effort | best-effort
    """,
    "moreimportant": """
        more important | more weight | higher priority | higher weight | matters more | more than anything |
        most important | matters most | weighs more | counts more | count more
    """,
    "over": "ahead of | rather than | in preference to | with precedence over | precedence over | priority over",
    "filler": """
        at once | once more | once again | once a | just in case | even if | as if |
        if not already | good morning | good afternoon | good evening | good night |
        good day | after all | after that | look after |
        looking after | looks after | after you | quite a while | once in a while |
        has to | have to | had to | by any means | by all means | people are |
        at all | in total | in short | at the moment | in place | by all means | on top of that | on top |
        such as | so far | as well | at a time | at once | for the moment | for the time being | for now |
        for example | in general | in particular | of course | in order to | at the same time | in fact |
        first of all | as soon as possible | in case of doubt | if in doubt | when in doubt | in doubt |
        double check | double - check | until further notice |
        till further notice | right now | from now on | as of now |
        up front | as far as | as agreed | as usual | each time | every time |
        to be on the safe side | on the safe side | heads-up | heads up | going on | back up | all day long |
        the whole time | in any case | in any cell | in every cell | in all cells | in each cell |
        across the board | in the world | if at all possible | whatever happens | whatever you do |
        no matter what | as you please | in return | by then | by that | more or less | so-called | of these |
        of those | relative to | compared to | compared with | versus | per cell | per link | as much as |
        as possible | if possible | let alone | from each other | nothing else | no doubt | no problem |
        not sure | no idea | no one | not only | why not | no thanks
    """,
    "all": """
        across the network | across the area | network wide | network-wide | area wide | area-wide |
        in the whole network | in the whole area | over all
    """,
    "perstep": """
        per step | a step | each step | every step | per slow step | at each step | in each step | in one step |
        in a step |
        in a single step | per interval | per move | in one move | in one go | per adjustment | per iteration |
        per round
    """,
    "ranking": """
        order of importance | order of priority | priority order | order of precedence | pecking order | in this order |
        in that order | in the order
    """,
    "yield": """
        gives way to | give way to | yields to | yield to | takes a back seat to | comes after | come after |
        ranks below |
        ranks behind | stands behind | stands back for | is second to | are second to | comes second to |
        come second to | subordinate to | defers to
    """,
    "whole": "the remainder of | the rest of",
    "as_well": "as well as | together with | along with | in addition to",
    "provided": """
        as long as | so long as | provided that | on condition that | on the condition that |
        under the condition that | given that
    """,
    "while": "in the meantime | in the mean time | at that time",
    "thattime": """
        during that time | during this time | during that period | during this period | during which |
        in that time | in this period | in that period | during that window | over that period |
        during those hours | during these hours
    """,
    "rush": """
        a while | a short while | some time | a few hours | a few minutes | a couple of hours | some hours |
        several hours |
        a few days | some days | a couple of days | a couple of minutes | lunch break | lunch time |
        from time to time | now and then | every now and then | once in a while | at some point | some time | one day |
        rush hour | rush hours | peak hour | peak hours | busy hour | busy hours | peak time | peak times |
        off peak | off-peak | office hours | business hours | working hours
    """,
    "confidence": """
        confidence level | level of confidence | of the time | of all cases | of the cases | of cases | of all times
    """,
    "usual": """
        the usual | its normal level | normal level | usual level | an ordinary day | a normal day |
        its usual level | what it normally is | than usual
    """,
    "cond": """
        in case | in case of | in the event of | in the event that | as soon as | only if | except when | except if |
        except where | on condition of | depending on
    """,
    "throughout": "all day",
    "again": "again and again",
}
"""Tag to phrases, apart by bars."""
