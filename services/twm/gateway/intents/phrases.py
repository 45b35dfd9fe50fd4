"""Phrases of the grammar by tag; the longest wins, and over the words in it."""

from __future__ import annotations

PHRASES: dict[str, str] = {
    "during": "for the duration of | over the duration of | for the length of | in the course of",
    "until": "until and including | till and including | up to and including | through and including | thru and including",
    "dayend": "the end of the day | end of the day | end of day | the end of today | close of day",
    "monthend": """
        the end of the month | end of the month | end of month | the end of this month | month end | month - end
    """,
    "yearend": "the end of the year | end of the year | end of year | the end of this year | year end | year - end",
    "overmorrow": "the day after tomorrow | day after tomorrow",
    "after": "not before | no earlier than | not earlier than | no sooner than | not sooner than",
    "holiday": "new year 's eve | new year's eve | christmas eve | new year | bank holiday",
    "orbetter": "or better | or quicker | or faster | or sooner | or shorter | or swifter",
    "below": "south of | inferior to | shy of | shorter than | on the good side of | on the right side of",
    "above": "north of | superior to | in excess of",
    "pin": """
        neither more nor less | neither less nor more | no less no more | not more not less | no more no less |
        no more , no less | no more and no less | not more and not less | no less and no more
    """,
    "atleast": """
        no less | not less |
        greater or equal | greater than or equal to | more or equal | more than or equal to | higher or equal | equal or more |
        equal or higher | equal or above | bigger or equal | not inferior to | no poorer than |
        not a bit less | nothing less | nothing below |
        at least | no less than | not less than | no fewer than | not under | not below | no lower than |
        not lower than | not fewer than | never less than | or more | or higher | or above | or greater | and above |
        and more |
        and up | upwards of | as a minimum | at the least | or over | as minimum | at minimum | at a minimum |
        no smaller than | at or above
    """,
    "atmost": """
        no bigger | no larger | no higher |
        no more | not more | not a bit more | not a point more | not one point more | not a percent more |
        not one percent more | nothing above | nothing more than | make do with | makes do with |
        get by with | live with |
        is fine with | are fine with | fine with | is happy with | are happy with | content with | is ok with | is okay with |
        less or equal | less than or equal to | less or equal to | smaller or equal | smaller or equal to | equal or less |
        equal or lower | equal or below | lower or equal | lower or equal to | not superior to | no worse than |
        not worse than | no slower than | not slower than |
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
        exempt from any change | exempt from any changes | exempt from changes | exempt from change | no changes to |
        no change to | where it is | as it stands | as they stand | leave in peace | stay clear of
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
        less important | least important | less weight | lower priority | lower weight | best effort | best-effort |
        count less | count for less | counts for less | counted less | counted for less | weighed less | of less importance |
        of lesser importance | less of a priority | matter less
    """,
    "moreimportant": """
        more important | more weight | higher priority | higher weight | matters more | more than anything |
        most important | matters most | weighs more | counts more | count more
    """,
    "over": "ahead of | rather than | in preference to | with precedence over | precedence over | priority over",
    "filler": """
        off the ceiling | off its ceiling | off the limit | off its limit | off the red |
        make sure | making sure | made sure | makes sure | be sure | please ensure | for sure | as regards |
        at once | once more | once again | once a | just in case | even if | as if |
        if you ask me | if i may say so | if i may | if memory serves | if i am not mistaken | if i'm not mistaken |
        if i remember right | if i remember correctly | if you like | if you will | if anything |
        if not already | good morning | good afternoon | good evening | good night |
        good day | after all | look after |
        looking after | looks after | after you | quite a while | once in a while |
        has to | have to | had to | by any means | by all means | people are |
        at all | in total | in short | at the moment | in place | by all means | on top of that | on top |
        budget cuts | budget cut | job cuts | staff cuts | spending cuts |
        trading floor | shop floor | factory floor | dance floor | ground floor | first floor | second floor | third floor |
        top floor | sales floor | production floor | such as | so far | as well | at a time |
        at once | for the moment | for the time being | for now |
        peak tariff | peak tariffs | peak price | peak prices | peak rate | off-peak tariff | off peak tariff | no budget |
        budget for | the budget | our budget | cost us | costs us | cost them | costing us | night tariff | day tariff |
        for example | in general | in particular | of course | in order to | at the same time | in fact |
        first of all | as soon as possible | in case of doubt | if in doubt | when in doubt |
        if you have to choose | if you must choose | if we have to choose | if forced to choose |
        if push comes to shove | if it comes to the crunch | if they compete | if they conflict |
        if there is a conflict | if there 's a conflict | in case of conflict | in case of a conflict |
        if it gets tight | if things get tight | when it gets tight | when things get tight | if need be |
        if needs be | if needed | if necessary | in doubt |
        double check | double - check | until further notice | for the rush | for the hurry |
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
    "rest": """
        then the rest | then the others | then everyone else | then everybody else | then everything else | then all others |
        then all the others | then all the rest | then the other slices | then all other slices | then the remaining slices
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
    "event": """
        black friday | cyber monday |
        open day | open house | open days | market day | sports day | job fair | trade show | air show | light show
    """,
    "expect": """
        count with | count on | counting on | counting with | reckon with | reckon on | be ready for | get ready for |
        get prepared for | bargain for | allow for | calculate with | there will be | there is going to be | we will see |
        we will have | we shall have | brace for
    """,
    "thattime": """
        over the same interval | in the same interval | for the same interval | over the same period | in the same period |
        for the same period | in the same time | during the same time | over the same time | for the same time |
        during the same period | in the same window | over the same window | for the same window | during the same hours |
        in that interval | for that period | for this period | over this period | over that time | for that time |
        within that time | within this time | in that window | in this window | for that window | same window |
        same period | same interval | during this window | over this window | for this window | in those hours |
        in these hours | for those hours | for these hours |
        during that time | during this time | during that period | during this period | during which |
        in that time | in this period | in that period | during that window | over that period |
        during those hours | during these hours
    """,
    "thatday": """
        that day | all that day | that whole day | all of that day | on that day | during that day | that same day |
        on the same day | the whole of that day | all day that day | throughout that day
    """,
    "afterthat": """
        from then on | from then onwards | from that time on | from that moment on | from that point on | as of then |
        from that time onwards | from there on | after that | in between | in-between
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
