"""Ordinary English words that are a slip of the pen away from a word of the grammar, and are never taken for one.

"The air is cold" is about no fair, "snow on the mast" is no "show". A word stays correctable where it is a form of the same
word ("reductions"), and where people write it by mistake for one of the grammar ("loose" for "lose").
"""

from __future__ import annotations

ORDINARY = """
faster slower quicker tunnels
storm storms rain ice heat fuse jumper jumpers pole poles died dies dying toast fried sliced drooping patching springs cove dune
sluice berth buoy deck track tracks booth yard feed feeds barge caster hoist cage skip relays dome oars liner visa fuel rigger
clause lessee stable renewed grumble grumbling grumbled moan moaning queue hot
bother bothers bothered
ran sank drove bought knew flew drew rang woke drank tugs tills valves ranger miner fitter freezer tablet modem dish
digger duly fee fees rent moorings gales hail floods drought frost bugs hangs exam silo dug moped lorry lorries cooks
cafe cafes sorry mates goats horse roof wall fence bike
aap abort abound ace acid actor adhd aero ahem ahmad aid air alan alas alice alley alloy ally als altar alto amd amir
amos amy ant apex apple arbor arch arenas aria arid arise arises arising ark arm arose asa assure ate atop ave avery
avid await awhile bach bags bail bailed ball ballot balls band barrier bat batch bats batter bays bea bead beads beak
beam beams bean beans bear bears beast beasts beau beech beer began begs begun belief believing bell bells belt belts
bench bend bent bert bet betting bins bites bitter blast blasting blasts bleach bleak bless blew blink bloc blog
blogging blow blower blur boast boat boats boko bond bone bones boo boom boon boot boots border bore bosses bout bowed
brake braking branches brat brave bread breath breathes breathing breeze bride bridget brock broke broker brook brow
brows bruce brush bryce bull bulls bump bumped bumps bunch burt bury bush bust buster butter buy buys cal calf cali
calling calm calves camp camped camper camping camps cams cane cannon cans capt carl carried cas cass cast casting
casts cat catch cater catering cats cavs cent ceo chad chances chant chanting chap charging charming cheat chem chen
chose chow cites clans clap clapping clash clock clone closer closing coasts coat coating coding colt colts concept
concern cone conn connecting conor cons consumer cont contest contested convert cook coping cops cos cosy couch county
courts cover cps crate crease crises crop cropped crops crown crowns crush cubs cues cult cups curing curtain cute dad
dads dairy daly damp dams dank dans dar dare daring darn dart dates dave dawn deaf dean dearly decay deceased deceive
deceived decks deco deduction deed deeds deep defective delicate demonstrating dent deserving digs dirk disks distinct
distract dive dives diving dock docs don dong donor donut dot doubted doubting dover dow dread drip dripping drown
ducks dumb dumped dust ease eater ebook echo economics economies economist education emails emergence emery endure
enduring ensuing enter equality esp ethan exception executing exhibiting expert experts face facto faint fairs fame
farming fasting fate fever fide fife fight fights figs fil file filing fill filling fills filth fined finer fir fire
fired fires fist fits flag flags flair flash flavor flavour flavours flock flood flour flow flower flowering foil
folding folk fond ford forge forged fork formal formally fort forth foul fourth frail freak freaking freaks freeing
fridge fro frog funnel fur fused gabe gale gall gamer gaps gaze geek gems gene gettin giant gifs giles git glow
glowing gmail goat golf gong gore gould gown gps grace graft gran grand greed greek grew grill grim grit gross guts
hailed hair hal hale halo halt halted ham hamper hanged hanging hangover hanover hans hara haram harding hare harp
hart hash hat hatch hate hates hats haven haze hector heed height heights helm help hen herd hers hitter hive holes
holt holy honey hood hook hound hover hugh hump hunt hunting hush hut huts hwy ill ink ins insure isolated isolation
iss ist ive jacket jackets jail jailed jang jays jean jeep jess jets jill joan joint joints jones juan jude judo judy
jung junk jury kate keen kemp kent khan kill kills kissing kit kite knight knights knit kurt labs lad lagos lan land
lang laos laps lars laser lash latch latex latter launch laws layer lays leach lead leading leads leak leaking leaks
lean leaning lease leases leash leasing leeds legion legions legs leigh lend lens lent letter letting lick lift light
lightly lights limb limbs lin ling lisa listing lists lit liter litter livelihood living loaf loan loaned loans lobe
loft logging logs lois lone loot lord lords lore loser losers loud lover loves loving lowe lows lump lure lush lust
lynch mach maid mailed mailing maine mains mal malone malt mans mapped mapping maps marc marco mare mark marked marker
marsh marx mary mass master masters mater math maxi maya mayo mead meal means meant meat meats media medina meds meek
mega megan mein melt melts mens mere mesa mesh messy meta meth mets midway mill mina ming mini mint minus mis mist mit
mitch mitt mixed moan moaning modes mods moe moist mole moms mona monk monkey mono mont monte monty moon moore moses
moss moth mound mounts mourning mouth movie muse musk nail nailed nails naming nay neat neatly needy neon nerd nerds
nero nerve nest net newer nice nike nile nina nino nitrate noir non nora norm norma norman nose noses notes noting
noun nuts nxt odd ode oily older olds oops ops ore oslo ouch ounce outrage outsider oven oversight owen own owned
ozone pack packed packer packers pact pain pains paint paints pak pan pans pas paso pasta paste pat patch patio pats
paved paving pbs pea peach peaches pear peas peat peck peek peep pen pending penned pens perks pest pets picket pics
pies pigs pill pills pine pines ping pink pint pipe pits pity pla plains plane planes planet planner planted planting
plants play plays plug plugs plum pocket pockets poke poker policing pore pork pose poses posh posing post posting
potion pots pouch pound pour powder powered powering praise praised praises praising preach preaching pres preserving
prints prom prop props pros prose provider pst pubs pump pumped pumps punch pune pure purge putting qualify quartet
quote quotes racer rack racket rage rags rail railing rails rained raining rake rand rant rapping rare rash rat rats
rave rays reaching react receiver rector refer reference referenced references referred regain reich relay reliably
relied relies reminding remote repaid repairing repeal report resent retain retaining retains reveals revered rick
riddle ride rides ridge riding rightly rim rink rinse ripe risking risky rite rites roach robe rocks rode roe role rom
rome rope rosa roses rosie rouge row rowe rowing rows ruin rushes russ rust ruth sacked sage sailed sailing sails
saint sal sale sales sally salt sampling sand sane sap sas saturation saying scalp scare scared scares seas seat seats
sect seed seeds seek sell sells sending sent serie ses seth sets setting seventh severe sewer shade shades shaft
shafts shake shakes shale shalt shame shan shane shape shapes shark sharks sharp sharpe shaved shaving shaw shell
shire shirt shirts shoe shore shores shot shout shove shrine sides sigh sight sights sin sing sink sinks sins sire sit
sits situ slab slam slams slap slapping slater slave slaves slay slaying slick slide slides slime slot slots slower
slows smart smash smell smoke smokes snap snapping snare snow soap socks sol sole solo solos son soo sooo sore sos
sour sow spanning spat speak speaks speeding spends spent spice spices spike spikes spin spins spite splash spoon
spores spun squire sta stab stacy stag staging stale stall stamp stan star stare stares staring stark starr starring
stars startling starving stash stat stating stats steep stem stems steven stew stitch stoke stokes stomp stops stray
stuart stun sued suite suites sung sunk surf surfing swam swan swat sway swift swipe tags tai tailed tal tall tally
tamil tan taper tapped tapping taps tart tat teach teal teen tees teeth tel temper tend tens tent tents terror thai
theirs theme theo thigh thin thirsty thou thought threw thrift thrive thug thugs tides ties tight tightly tights tile
tiles tim timer timers tips tis toes toll tone tones tons topical torch tore tos toss tough tour tours tow towed tower
towering town toys trace transports tree trey tri trio trip tripped trough true tube tubes tune tunes twin twins
twitch unable une unsure upton urge urges urging usd utilize utmost vast vector vectors vent vents vets void vote
vowed waist walls wally walt walter walters wan wand wang warming wasting wat water watering watt wave waved waves
waving weak weave weaving wee weed weeds weep weeping weld wen went wha whale wheat whine white whoa width wife wigs
wind winds wine wines wing wings wink wire wit witch wits wives won wong word wording words wore workin worm worms
worn worthy wrapping wright writ writer wrote yates yearly yeast yell yells yoon york zach zoe
date eat code rock text feet lack luck mid movies easier farm warm banks posts forgot concerns faces chat tank
protected facing faced filed trail pace log banking cure blocked submit tanks concepts wound cave dose missions
ranging codes promoted closet profession valve blocking charm watches riot lacking flame flames disk sail spark
sprint eats pops catches heir lacks patches bait bark bets lace manor nets font lacked daisy doses kits rover
coats contention gases hose vest vine knot mouths rocking dept caves dove fares sock converts heap spec bushes
clocks specs morse plank beep forks loch tame tasting lever gloss manned marches banged solid
"""
