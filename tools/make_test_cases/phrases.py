"""Text of our own making: what the small tokenizer is trained on and what the scripted models write."""

SENTENCES = [
    "So the sum of both numbers is 17, and their product is 72.",
    " Then the larger of them must be 9, because 8 + 9 = 17.",
    " We can write n = 2k + 1 for every odd number n.",
    " The triangle has the sides 5, 12 and 13, so its area is 30.",
    " That leaves 6 * 4 = 24 ways to seat them.",
    " Each of the 12 edges is counted twice.",
    " If x is even, x^2 is a multiple of 4.",
    " By symmetry we may assume that a <= b.",
    " The remainder of 2^10 modulo 11 is 1.",
    " Divide both sides by 3 and we get y = 7.",
    " There are 30 days, of which 8 are free.",
    " The first train needs 40 minutes, the second one 25.",
    " Now add the two equations: 5x = 35.",
    " The answer is \\boxed{42}.",
    " Half of the cards are red, hence 13 of 26.",
    " Sie zahlt 3,50 € für die Bücher.",
    " 五个苹果加三个苹果是八个苹果。",
]
REFLECTIONS = [
    "Wait, that counts the corner twice.",
    "Hold on, the number must be prime.",
    "Alternatively, look at it modulo 9.",
    "Let me verify this with n = 3.",
    "Let me check the second case: 4 + 5 = 9.",
    "Hmm, another way to see it is a table.",
    "Think again: the order does not matter.",
    "Yes, that is right.",
    "Yeah, both ways give 24.",
    "I am confident about this value.",
    "The final answer is 24.",
    "Wait, let me check again, yes, and yes.",
    "A quick recap: a = 2 and b = 5.",
]
ENDS = ["\n\n", ".\n\n", "\n", "\n\n\n", "?\n\n", " ", "", ".\n", "\n \n", ":\n\n"]
MESSAGES = [
    [{"role": "user", "content": "What is 8 + 9?"}],
    [{"role": "system", "content": "Answer in one line."}, {"role": "user", "content": "How many edges has a cube?"}],
    [{"role": "user", "content": "Wie viel sind 7 mal 6?"}],
    [{"role": "user", "content": "Find the area of a triangle with the sides 5, 12 and 13.\n\nThink step by step."}],
    [
        {"role": "user", "content": "Is 51 a prime?"},
        {"role": "assistant", "content": "<think>\nWait, 51 = 3 * 17.\n</think>\n\nNo."},
        {"role": "user", "content": "三加五是多少？"},
    ],
]
EXTRA_TRAINING = [
    "def area(a, b):\n    return a * b / 2  # half of it\n\n\tprint(area(3, 4))\r\n",
    "I'm sure it's 12, they're 13 and we've 14; don't you'll see?",
    "Naïve Größe, l'été, café, straße, Привет, Καλημέρα, 数学, 한국어, 日本語.",
    "user\nassistant\nsystem\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}",
]


def training_text():
    return SENTENCES * 3 + REFLECTIONS * 3 + [line.lower() for line in REFLECTIONS] + EXTRA_TRAINING * 2 + [
        first + end for first in SENTENCES for end in ENDS
    ]
