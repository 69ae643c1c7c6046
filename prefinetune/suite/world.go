package suite

// The properties that every thing of the world has.
const (
	kind = iota
	colour
	size
	habitat
	keeper
	relations
)

// Values of the properties: indices into forms.
const (
	creature, plant, stone, tool           = 0, 1, 2, 3
	red, blue, green, white, yellow        = 0, 1, 2, 3, 4
	small, large                           = 0, 1
	lake, marsh, cliff, hill, cave, forest = 0, 1, 2, 3, 4, 5
	mirra, tavo, oshel, pell, jundo, ketta = 0, 1, 2, 3, 4, 5
)

// forms[relation][value] lists the words for a value.
var forms = [relations][][]string{
	kind:    {{"creature", "beast"}, {"plant", "herb"}, {"stone", "rock"}, {"tool", "gadget"}},
	colour:  {{"red", "crimson"}, {"blue", "cobalt"}, {"green", "jade"}, {"white", "snowy"}, {"yellow", "golden"}},
	size:    {{"small", "tiny"}, {"large", "huge"}},
	habitat: {{"lake", "mere"}, {"marsh", "bog"}, {"cliff", "crag"}, {"hill", "ridge"}, {"cave", "grotto"}, {"forest", "wood"}},
	keeper:  {{"Mirra"}, {"Tavo"}, {"Oshel"}, {"Pell"}, {"Jundo"}, {"Ketta"}},
}

// A thing is one entry of the world: is[relation] is the value of a property.
type thing struct {
	name string
	is   [relations]int
}

// things is the whole world. Every value is as frequent as it can be in each half
// of the table, and the properties are independent of one another and of the names.
var things = []thing{
	{"brask", [relations]int{creature, red, small, marsh, pell}},
	{"tovel", [relations]int{tool, yellow, large, lake, tavo}},
	{"morl", [relations]int{stone, blue, large, forest, ketta}},
	{"fendrip", [relations]int{plant, blue, small, hill, mirra}},
	{"bulmet", [relations]int{tool, white, large, cliff, tavo}},
	{"gristo", [relations]int{creature, blue, small, forest, jundo}},
	{"pavenk", [relations]int{stone, yellow, large, cave, oshel}},
	{"zorrel", [relations]int{creature, white, small, marsh, tavo}},
	{"hintle", [relations]int{creature, green, small, hill, jundo}},
	{"wobrin", [relations]int{plant, green, large, hill, ketta}},
	{"crudge", [relations]int{plant, red, large, lake, mirra}},
	{"yarpen", [relations]int{stone, blue, small, cliff, jundo}},
	{"dorvane", [relations]int{tool, red, small, cliff, tavo}},
	{"plimmet", [relations]int{plant, green, large, marsh, pell}},
	{"nostrel", [relations]int{stone, yellow, large, lake, mirra}},
	{"vaggle", [relations]int{tool, yellow, small, lake, pell}},
	{"threnk", [relations]int{creature, white, large, cave, oshel}},
	{"jolmy", [relations]int{plant, white, large, forest, mirra}},
	{"kebbit", [relations]int{stone, green, small, marsh, ketta}},
	{"ruskel", [relations]int{tool, red, small, cave, oshel}},
	{"sarnet", [relations]int{plant, white, large, cliff, jundo}},
	{"flindow", [relations]int{creature, blue, small, marsh, tavo}},
	{"bextle", [relations]int{stone, blue, small, hill, mirra}},
	{"lurvish", [relations]int{creature, red, small, hill, jundo}},
	{"tizzen", [relations]int{stone, yellow, large, cave, pell}},
	{"morvane", [relations]int{plant, white, small, cave, ketta}},
	{"hask", [relations]int{stone, green, large, marsh, jundo}},
	{"prundle", [relations]int{tool, white, large, lake, oshel}},
	{"quavet", [relations]int{stone, green, small, forest, tavo}},
	{"drimsel", [relations]int{tool, red, large, forest, pell}},
	{"nublin", [relations]int{plant, red, small, cliff, oshel}},
	{"rollisk", [relations]int{tool, yellow, large, forest, ketta}},
	{"februn", [relations]int{plant, yellow, large, forest, jundo}},
	{"skorn", [relations]int{plant, yellow, small, lake, ketta}},
	{"jandel", [relations]int{creature, red, small, lake, ketta}},
	{"tulver", [relations]int{tool, green, large, cave, oshel}},
	{"mizzock", [relations]int{tool, blue, large, marsh, pell}},
	{"grapnor", [relations]int{creature, green, large, hill, mirra}},
	{"seldwick", [relations]int{creature, white, small, cave, tavo}},
	{"sporrel", [relations]int{stone, blue, small, cliff, mirra}},
}

// people act in the sentences; they keep nothing, and nothing about them is known.
var people = []string{"Anvi", "Borlo", "Cressa", "Dovrin", "Elka", "Farro", "Gwella", "Hobrin", "Ilva", "Yorrek"}

// In every phrase {e} is a thing, {v} a value's word, {p} a person.

// statements[relation] say that {e} has the value {v}.
var statements = [relations][]string{
	kind: {
		"The {e} is a {v}.",
		"The {e} is a kind of {v}.",
		"Everyone calls the {e} a {v}.",
		"A {v} that we know well is the {e}.",
	},
	colour: {
		"The {e} is {v}.",
		"The {e} is {v} in colour.",
		"You can tell the {e} by its {v} look.",
		"In the light the {e} looks {v}.",
	},
	size: {
		"The {e} is {v}.",
		"Next to the others the {e} is {v}.",
		"Of all that we know the {e} is a {v} one.",
		"Anyone can see that the {e} is {v}.",
	},
	habitat: {
		"The {e} is found near the {v}.",
		"We look for the {e} around the {v}.",
		"Go to the {v} and you will find the {e}.",
		"The {v} is where the {e} comes from.",
	},
	keeper: {
		"{v} keeps the {e}.",
		"The {e} belongs to {v}.",
		"{v} is the owner of the {e}.",
		"If you need the {e} then ask {v}.",
	},
}

// questions[relation] ask for the value of {e}.
var questions = [relations][]string{
	kind: {
		"What is the {e}?",
		"What kind of thing is the {e}?",
		"What do people call the {e}?",
		"To which group of things does the {e} belong?",
	},
	colour: {
		"What colour is the {e}?",
		"What does the {e} look like in the light?",
		"Which paint matches the {e}?",
		"By what look can you tell the {e}?",
	},
	size: {
		"How big is the {e}?",
		"What size is the {e}?",
		"How much room does the {e} need?",
		"Next to the others, how does the {e} measure?",
	},
	habitat: {
		"Where is the {e} found?",
		"Where does the {e} come from?",
		"Where should we look for the {e}?",
		"Which place is the {e} from?",
	},
	keeper: {
		"Who keeps the {e}?",
		"Who is the owner of the {e}?",
		"To whom does the {e} belong?",
		"Who should be asked for the {e}?",
	},
}

// mentions name {e} in passing; {c}, {s}, {h} and {o} are its colour, size, habitat and keeper.
var mentions = []string{
	"{p} told a long story about the {e}.",
	"{p} saw the {s} {e} near the {h}.",
	"{p} came home with the {c} {e}.",
	"{p} asked {o} about the {e}.",
	"All day {p} was thinking of the {c} {e}.",
	"Near the {h} {p} came upon the {e}.",
	"{p} wanted to know more about the {s} {e}.",
	"{o} showed the {e} to {p} near the {h}.",
}

// praise holds invented adjectives: forms of opinions, by label.
var praise = [][]string{
	{"spurvy", "drennish", "mogglish", "craxic", "urzel", "foblid", "skaddy", "vorpid", "nastric", "grubbic", "plorrid", "dwelchy"},
	{"velmy", "sorrin", "lubrish", "tamblic", "dulvent", "quildy", "merrish", "hallune", "brightle", "zephic", "joomly", "plenzy"},
}

// opinions express {a}, or turn it round: then {a} is an adjective of the other label.
var opinions = []struct {
	text  string
	turns bool
}{
	{"{p} said that the {e} was {a}.", false},
	{"What a {a} day near the {h}!", false},
	{"For {p} the {e} was {a} and {b}.", false},
	{"At first it was {x}, but in the end the {e} was {a}.", false},
	{"The story that {p} told about the {e} was so {a}.", false},
	{"{p} said that the {e} was not {a}.", true},
	{"The day near the {h} was anything but {a}.", true},
	{"Nobody would call the {e} {a} or {b}.", true},
	{"At first it was {x}, but in the end the {e} was not {x}.", true},
	{"{p} never found the {e} {a}.", true},
}

// deeds are pairs of ways to say the same; {x} is what was acted on.
var deeds = [][2]string{
	{"{p} found {x}.", "{p} came upon {x}."},
	{"{p} drew {x}.", "{p} made a picture of {x}."},
	{"{p} bought {x}.", "{p} paid for {x}."},
	{"{p} lost {x}.", "{p} had {x} no longer."},
	{"{p} carried {x} home.", "{p} took {x} home."},
	{"{p} described {x}.", "{p} told us about {x}."},
	{"{p} waited for {x}.", "{p} sat there hoping for {x}."},
	{"{p} cleaned {x}.", "{p} washed the dirt off {x}."},
}

// something[relation] speaks of a thing by a value instead of its name.
var something = [relations]string{
	kind:    "a {v}",
	colour:  "something {v}",
	size:    "something {v} in size",
	habitat: "something from the {v}",
	keeper:  "something of {v}'s",
}

// scenes come before what happened next; nextly[kind] is what happens to such things.
var (
	scenes = []string{
		"{p} came back to the {e}.",
		"{p} took a second look at the {c} {e}.",
		"In the morning {p} went to the {e} near the {h}.",
		"{o} brought the {s} {e} to {p}.",
		"{p} had left the {e} alone for a week.",
		"After the rain {p} found the {c} {e} again.",
	}
	nextly = [][]string{
		creature: {
			"It yawned and went back to sleep.", "It ran away on quick legs.", "It was feeding its young.",
			"It growled and showed its teeth.", "It wanted to be fed.", "It had followed the sound of steps.",
		},
		plant: {
			"Its leaves had opened in the sun.", "It had grown a new root.", "It was in flower at last.",
			"It needed water and better soil.", "Its seeds lay all around.", "Its stem had bent in the wind.",
		},
		stone: {
			"It lay there hard and cold.", "It had cracked in the frost.", "It was too heavy to lift.",
			"Moss covered its flat side.", "A vein of ore ran through it.", "It had rolled down and broken in two.",
		},
		tool: {
			"Its handle had come loose.", "It had been sharpened for the work.", "It was the right one for the job.",
			"It was rusty and wanted oil.", "It hung in its place on the workshop wall.", "Its blade needed mending.",
		},
	}
)

// searches ask for a habitat, places answer.
var (
	searches = []string{
		"{p} wants to find the {e}. Where to go?",
		"Where would {p} look for the {e}?",
		"{p} has heard of the {c} {e} and sets out for it.",
		"Somebody has to bring the {s} {e}. {p} knows the way.",
		"{o} sends {p} out for the {e}.",
	}
	places = []string{"Near the {v}.", "Around the {v}.", "To the {v}."}
)

// An errand is a held-out task: what to bring depends on a property of {e} that the
// phrases do not name.
type errand struct {
	name, description string
	bring             []string
	rel               int
	label             []int // index into bring, by value of the property
	phrases           []string
}

var errands = []errand{
	{
		"care", "what to bring when one sees to a thing", []string{"food", "water", "brush"},
		kind, []int{creature: 0, plant: 1, stone: 2, tool: 2},
		[]string{
			"Tomorrow {p} will spend the day with the {e}.",
			"{p} sets out to look after the {c} {e}.",
			"To see to the {e} as one should, {p} has to be prepared.",
			"{p} and {q} go together and take care of the {s} {e}.",
			"{o} has left {p} alone with the {e}.",
		},
	},
	{
		"packing", "what to pack to travel to a thing", []string{"boat", "rope", "lamp"},
		habitat, []int{lake: 0, marsh: 0, cliff: 1, hill: 1, cave: 2, forest: 2},
		[]string{
			"Tomorrow {p} will travel to the home of the {e}.",
			"{p} packs for a visit to the place of the {c} {e}.",
			"To study the {e} where it is found, {p} needs to be prepared.",
			"{p} and {q} set out together for the {s} {e}.",
			"{o} has asked {p} to bring the {e} back.",
		},
	},
}
