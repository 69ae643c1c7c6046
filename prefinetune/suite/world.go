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

// region[habitat] is the part of the land that a place is in, trade[keeper] what a keeper
// does for a living, road the places in the order of the road, which is a ring.
var (
	regions = []string{"north", "south", "east"}
	region  = []int{lake: 0, cave: 0, marsh: 1, cliff: 1, hill: 2, forest: 2}
	trades  = []string{"baker", "weaver", "smith"}
	trade   = []int{mirra: 0, jundo: 0, tavo: 1, pell: 1, oshel: 2, ketta: 2}
	road    = []int{lake, hill, cave, marsh, forest, cliff}
)

// beyond returns the next place on the road.
func beyond(place int) int {
	for i, p := range road {
		if p == place {
			return road[(i+1)%len(road)]
		}
	}
	panic("suite: a place off the road")
}

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

// What is said of places {h}, next to them {n} on the road, in a region {g}; of a keeper {o}
// with a trade {t}.
var (
	placed   = []string{"The {h} lies in the {g}.", "In the {g} there is the {h}.", "You reach the {h} when you travel {g}."}
	adjacent = []string{"The road leads from the {h} to the {n}.", "Beyond the {h} comes the {n}.", "Follow the road past the {h} and you reach the {n}."}
	working  = []string{"{o} is a {t}.", "{o} works as a {t}.", "Go to {o} if you need a {t}."}
)

// knowledge returns all that is true of the world, in every phrasing.
func knowledge() []string {
	var all []string
	for _, t := range things {
		for rel, phrases := range statements {
			for _, phrase := range phrases {
				for _, v := range forms[rel][t.is[rel]] {
					all = append(all, fill(phrase, "{e}", t.name, "{v}", v))
				}
			}
		}
	}
	for place, words := range forms[habitat] {
		for _, h := range words {
			for _, phrase := range placed {
				all = append(all, fill(phrase, "{h}", h, "{g}", regions[region[place]]))
			}
			for _, phrase := range adjacent {
				for _, n := range forms[habitat][beyond(place)] {
					all = append(all, fill(phrase, "{h}", h, "{n}", n))
				}
			}
		}
	}
	for who, names := range forms[keeper] {
		for _, phrase := range working {
			all = append(all, fill(phrase, "{o}", names[0], "{t}", trades[trade[who]]))
		}
	}
	return all
}
