"""The loops of the thinking schedule, written from their description and from nothing else: sections 2, 3b and 6 of the
method's text, as the comments cite them. They serve as a second opinion on src/schedule.

A loop calls `ask(model, prefix_len, max_tokens, stop, prefix)` and gets ids back.
"""

MAX_MODEL_LEN = 32768
RESERVE = 1024
SEGMENT = 1024
DEFAULTS = {
    "TRIGGER_TOKENS": ["\n\n"],
    "TARGET_VALIDATION_KEYWORDS": {
        "verify": ["verify", "think again", "recap", "check"],
        "negative": ["wait", "alternatively", "hold on", "another"],
        "positive": ["yeah", "yes", "final answer", "confident"],
    },
    "help_think_word": None,
    "help_recap_words": "Let me check whether there are some wrong steps:",
    "not_reasoning": False,
    "choose_large": True,
    "max_target_tokens": 20,
    "begin": False,
    "begin_token_num": 100,
    "original_recap_token_num": 125,
    "recap_after_negative_num": 15,
    "add_each_recap": 25,
    "add_each_neg": 5,
    "max_recap_token_num": 200,
    "max_negative_num": 30,
}


class Vocabulary:
    """What the loops need of a tokenizer (of the `tokenizers` package)."""

    def __init__(self, tokenizer, eos="<|im_end|>", all_eos=("<|im_end|>", "<|endoftext|>")):
        self.tokenizer = tokenizer
        self.eos = tokenizer.token_to_id(eos)
        self.all_eos = {tokenizer.token_to_id(token) for token in all_eos}
        self.added = tokenizer.get_added_tokens_decoder()
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in printable]
        self.byte_of = {chr(byte): byte for byte in printable}
        self.byte_of.update({chr(256 + index): byte for index, byte in enumerate(others)})

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def token_bytes(self, token):
        if token in self.added:
            return b"" if self.added[token].special else self.added[token].content.encode()
        return bytes(self.byte_of[letter] for letter in self.tokenizer.id_to_token(token))


class Matcher:
    """Finds trigger strings in a stream of bytes. Matches do not overlap."""

    def __init__(self, triggers):
        self.triggers = [trigger.encode() for trigger in triggers]
        self.longest = max(map(len, self.triggers))
        self.tail = b""

    def feed(self, data):
        """True when a match ends in `data`."""
        found = False
        for byte in data:
            self.tail = (self.tail + bytes([byte]))[-self.longest:]
            if any(self.tail.endswith(trigger) for trigger in self.triggers):
                found = True
                self.tail = b""
        return found


def sentiment(text, words):
    text = text.lower()
    positive = sum(text.count(word) for word in words["positive"])
    negative = sum(text.count(word) for word in words["negative"] + words["verify"])
    return (positive > negative) - (negative >= positive and negative > 0)


def asks_verify(text, words):
    return any(word in text.lower() for word in words["verify"])


def keeps_target(settings, draft, target):
    return settings["choose_large"] or draft < 0 <= target or target < 0 < draft


class Recap:
    def __init__(self, settings):
        self.settings = settings
        self.negatives = 0
        self.length = settings["original_recap_token_num"]
        self.after = settings["recap_after_negative_num"]

    def due(self):
        return self.negatives >= self.after

    def start(self):
        length, self.negatives = self.length, 0
        self.length = min(self.length + self.settings["add_each_recap"], self.settings["max_recap_token_num"])
        self.after = min(self.after + self.settings["add_each_neg"], self.settings["max_negative_num"])
        return length


def original_loop(config, prompt, max_tokens, vocabulary, ask):
    """Section 2, and mode hf of section 6, where a segment is a single token."""
    settings = DEFAULTS | config
    single = settings.get("mode") == "hf"
    words, triggers = settings["TARGET_VALIDATION_KEYWORDS"], settings["TRIGGER_TOKENS"]
    size, ids = len(prompt), list(prompt)
    limit = min(max_tokens, MAX_MODEL_LEN - size - RESERVE)
    recap, at_begin, token_num, log, validations = Recap(settings), settings["begin"], 0, [], 0

    def request(model, length, stop=()):
        return ask(model, len(ids), length, list(stop), ids)

    while token_num < limit:
        tail = ""
        if not at_begin:  # 2.
            segment = request("draft", 1) if single else request("draft", SEGMENT, triggers)
            ids += segment
            if segment[-1] == vocabulary.eos:
                break
            tail = vocabulary.decode(segment[-5:])
        takeover = 0
        if at_begin:  # 3a.
            takeover, at_begin = settings["begin_token_num"], False
        elif any(trigger in tail for trigger in triggers):
            if recap.due():  # 3b.
                ids += vocabulary.encode(settings["help_recap_words"])
                takeover = recap.start()
            else:  # 3c.
                ids += vocabulary.encode(settings["help_think_word"] or "")
                probe = request("draft", settings["max_target_tokens"])
                probe_text = vocabulary.decode(probe)
                draft = sentiment(probe_text, words)
                if settings["not_reasoning"] or draft != 0:
                    validations += 1
                    answer = request("target", settings["max_target_tokens"])
                    answer_text = vocabulary.decode(answer)
                    target = sentiment(answer_text, words)
                    kept, kept_text, kept_sentiment = probe, probe_text, draft
                    if keeps_target(settings, draft, target):
                        kept, kept_text, kept_sentiment = answer, answer_text, target
                        log.append({"pos": len(ids) - size, "token_num": settings["max_target_tokens"],
                                    "traget": answer_text, "speculative": probe_text})
                    ids += kept
                    recap.negatives += kept_sentiment < 0
                    if asks_verify(kept_text, words):
                        takeover = settings["original_recap_token_num"]
        if takeover > 0:  # 3d.
            validations += 1
            text = request("target", takeover)
            log.append({"pos": len(ids) - size, "token_num": takeover, "traget": vocabulary.decode(text)})
            ids += text
        token_num = len(ids)  # 4.
        if vocabulary.eos in ids[-settings["max_target_tokens"]:]:
            break
    return {"num_tokens": len(ids) - size, "correct_tokens": log, "num_validations": validations,
            "generated_text": vocabulary.decode(ids)}


def text_loop(config, prompt_text, prompt_ids, max_tokens, vocabulary, ask):
    """Mode vllm_p of section 6, with one tokenizer for both models. `ask(model, text, max_tokens, stop)` gives ids and
    their text, which ends before the trigger."""
    settings = DEFAULTS | config
    words, triggers, window = settings["TARGET_VALIDATION_KEYWORDS"], settings["TRIGGER_TOKENS"], settings["max_target_tokens"]
    text, ids, recap, at_begin, token_num = prompt_text, list(prompt_ids), Recap(settings), settings["begin"], 0
    log, validations = [], 0

    def inject(word):
        nonlocal text
        text += word
        ids.extend(vocabulary.encode(word))

    while token_num < max_tokens:
        takeover, added = 0, ""
        if not at_begin:
            segment, added = ask("draft", text, SEGMENT, triggers)
            ids += segment
            text += added
            if segment[-1] == vocabulary.eos:
                break
            text += "\n\n"
            added += "\n\n"
        if at_begin:
            takeover, at_begin = settings["begin_token_num"], False
        elif any(trigger in added for trigger in triggers):
            if recap.due():
                inject(settings["help_recap_words"])
                takeover = recap.start()
            else:
                inject(settings["help_think_word"] or "")
                probe, probe_text = ask("draft", text, window, [])
                draft = sentiment(probe_text, words)
                if settings["not_reasoning"] or draft != 0:
                    validations += 1
                    answer, answer_text = ask("target", text, window, [])
                    target = sentiment(answer_text, words)
                    kept, kept_text, kept_sentiment = probe, probe_text, draft
                    if keeps_target(settings, draft, target):
                        kept, kept_text, kept_sentiment = answer, answer_text, target
                        log.append({"pos": len(ids) - len(prompt_ids), "token_num": window, "traget": answer_text,
                                    "speculative": probe_text})
                    ids += kept
                    text += kept_text
                    recap.negatives += kept_sentiment < 0
                    if asks_verify(kept_text, words):
                        takeover = settings["original_recap_token_num"]
        if takeover > 0:
            validations += 1
            output, output_text = ask("target", text, takeover, [])
            log.append({"pos": len(ids) - len(prompt_ids), "token_num": takeover, "traget": output_text})
            ids += output
            text += output_text
        token_num = len(ids)
        if vocabulary.eos in ids[-window:]:
            break
    return {"num_tokens": len(ids) - len(prompt_ids), "correct_tokens": log, "num_validations": validations,
            "generated_text": text}


class OutOfTokens(Exception):
    """Nothing is left of the limit."""


class FixedLoop:
    """Section 3b."""

    def __init__(self, config, prompt, max_tokens, max_model_len, vocabulary, ask):
        self.settings = DEFAULTS | config
        self.words = self.settings["TARGET_VALIDATION_KEYWORDS"]
        self.vocabulary = vocabulary
        self.ask_model = ask
        self.prompt = list(prompt)
        self.limit = min(max_tokens, max_model_len - len(prompt))
        self.ids = []  # generated, injected ones included
        self.ledger = dict.fromkeys(["draft", "target", "injected", "draft_wasted", "target_wasted"], 0)
        self.log, self.validations = [], 0
        self.matcher = Matcher(self.settings["TRIGGER_TOKENS"])
        self.recap = Recap(self.settings)
        self.rest = []

    def run(self):
        reason = "stop"
        try:
            self.steps()
        except OutOfTokens:
            reason = "length"
        answered = self.ledger
        answered["draft_wasted"] -= answered["draft"]
        answered["target_wasted"] -= answered["target"]
        return {"ids": self.ids, "finish_reason": reason, "ledger": answered, "correct_tokens": self.log,
                "num_validations": self.validations, "generated_text": self.vocabulary.decode(self.ids)}

    def left(self):
        return self.limit - len(self.ids)

    def request(self, model, length, ahead=(), stop=None):
        length = min(length, self.left() - len(ahead))
        if length <= 0:
            raise OutOfTokens
        prefix = self.prompt + self.ids + list(ahead)
        output = self.ask_model(model, len(prefix), length, stop, prefix)
        self.ledger[model + "_wasted"] += len(output)  # less what is kept, in the end
        return output

    def append(self, ids, origin):
        """True when the last token completes a trigger."""
        self.ids += ids
        self.ledger[origin] += len(ids)
        matched = False
        for token in ids:
            matched = self.matcher.feed(self.vocabulary.token_bytes(token))
        return matched

    def inject(self, text):
        ids = self.vocabulary.encode(text)[:self.left()]
        self.ids += ids
        self.ledger["injected"] += len(ids)
        self.matcher.tail = b""

    def has_eos(self, ids):
        return any(token in self.vocabulary.all_eos for token in ids)

    def steps(self):
        at_trigger, takeover = False, self.settings["begin_token_num"] if self.settings["begin"] else 0
        while True:
            if takeover > 0:
                text = self.request("target", takeover)
                self.validations += 1
                self.log.append(
                    {"pos": len(self.ids), "token_num": len(text), "traget": self.vocabulary.decode(text)})
                at_trigger, takeover = self.append(text, "target"), 0
                if self.has_eos(text):  # 4.
                    return
            elif at_trigger:
                at_trigger, takeover, ended = self.decide()
                if ended:
                    return
            else:
                segment = self.request("draft", SEGMENT, stop=self.settings["TRIGGER_TOKENS"])
                at_trigger = self.append(segment, "draft")
                if self.has_eos(segment):
                    return

    def decide(self):
        """Step 3: (at a trigger, length of the takeover that follows, the run ends)."""
        settings = self.settings
        if self.recap.due():
            self.rest = []
            self.inject(settings["help_recap_words"])
            return False, self.recap.start(), False
        tail_before, size_before = self.matcher.tail, len(self.ids)
        if settings["help_think_word"]:
            self.inject(settings["help_think_word"])
        probe, self.rest = self.rest, []
        if not probe:
            probe = self.request("draft", settings["max_target_tokens"])
        elif not self.has_eos(probe):
            missing = min(settings["max_target_tokens"], self.left()) - len(probe)
            if missing > 0:
                probe = probe + self.request("draft", missing, ahead=probe)
        probe_text = self.vocabulary.decode(probe)
        draft = sentiment(probe_text, self.words)
        if settings["not_reasoning"] or draft != 0:
            return self.ask_target(probe, probe_text, draft)
        if settings["help_think_word"]:
            self.ledger["injected"] -= len(self.ids) - size_before
            del self.ids[size_before:]
            self.matcher.tail = tail_before
            return False, 0, False
        for length, token in enumerate(probe, 1):
            if self.append([token], "draft"):
                if self.has_eos(probe[:length]):
                    return False, 0, True
                self.rest = probe[length:]
                return True, 0, False
        return False, 0, self.has_eos(probe)

    def ask_target(self, probe, probe_text, draft):
        answer = self.request("target", self.settings["max_target_tokens"])
        self.validations += 1
        answer_text = self.vocabulary.decode(answer)
        target = sentiment(answer_text, self.words)
        kept, kept_text, kept_sentiment, origin = probe, probe_text, draft, "draft"
        if keeps_target(self.settings, draft, target):
            kept, kept_text, kept_sentiment, origin = answer, answer_text, target, "target"
            self.log.append({"pos": len(self.ids), "token_num": len(answer), "traget": answer_text,
                             "speculative": probe_text})
        at_trigger = self.append(kept, origin)
        if self.has_eos(kept):
            return False, 0, True
        self.recap.negatives += kept_sentiment < 0
        takeover = self.settings["original_recap_token_num"] if asks_verify(kept_text, self.words) else 0
        return at_trigger, takeover, False
