"""Sampling for many runs at once: each step gives every run one token from the model that its policy asks for."""

import torch

CACHE_LENGTH_STEP = 64


class Sampler:
    def __init__(self, device, seed, temperature=0.6, top_p=0.95, top_k=20):
        self.temperature, self.top_p, self.top_k = temperature, top_p, top_k
        self._generator = torch.Generator(device=device).manual_seed(seed)

    def __call__(self, logits):
        """[rows, vocab] -> [rows]: temperature, top-k, then top-p over what top-k left, as the program does."""
        if self.temperature == 0:
            return logits.argmax(-1)
        values, ids = (logits.float() / self.temperature).topk(self.top_k, -1)
        p = values.softmax(-1)
        p = p.masked_fill(p.cumsum(-1) - p >= self.top_p, 0)
        return ids.gather(1, torch.multinomial(p, 1, generator=self._generator))[:, 0]


class _Active:
    """A run that is not finished, with its policy and the request that it waits for."""

    def __init__(self, run, policy):
        self.run, self.policy = run, policy
        self.request = next(policy, None)

    def send(self, token):
        try:
            self.request = self.policy.send(token)
        except StopIteration:
            self.request = None


@torch.no_grad()
def decode(models, runs_and_policies, sampler, batch_size=2048):
    """`models`: {"draft": LanguageModel, "target": LanguageModel}; both follow every run, so that either can go on.

    A model's cache is valid up to the token before the last one, whatever was cut: a cut token's entry is written again
    before it can be seen, because a step writes at the position of the run's last token and sees nothing behind it.
    """
    pairs = list(runs_and_policies)
    for i in range(0, len(pairs), batch_size):
        _decode_batch(models, [_Active(*pair) for pair in pairs[i:i + batch_size]], sampler)


def _decode_batch(models, active, sampler):
    device = next(iter(models.values())).cos.device
    prompts = [a.run.prompt_ids for a in active]
    longest = max(map(len, prompts))
    length = max(len(a.run.prompt_ids) + a.run.limit for a in active)
    caches = {name: model.new_cache(len(active), length) for name, model in models.items()}
    # Shorter prompts are padded behind; what the padding leaves in the cache is overwritten before it is seen.
    ids = torch.tensor([p + [0] * (longest - len(p)) for p in prompts], device=device)
    positions = torch.arange(longest, device=device)[None].expand(len(active), -1)
    causal = torch.ones(longest, longest, device=device, dtype=torch.bool).tril()[None, None]
    for name, model in models.items():
        model(ids, caches[name], positions, causal)

    columns = torch.arange(length, device=device)
    step = 0
    while True:
        step += 1
        running = [i for i, a in enumerate(active) if a.request is not None]
        if not running:
            return
        if len(running) < 0.8 * len(active) and step % 32 == 0:
            keep = torch.tensor(running, device=device)
            caches = {name: [tuple(t[keep] for t in layer) for layer in cache] for name, cache in caches.items()}
            active = [active[i] for i in running]
        last = [(a.run.ids or a.run.prompt_ids)[-1] for a in active]
        # A finished run stays in the batch until the next clean-up; its position must still be inside the cache.
        position = [len(a.run.prompt_ids) + len(a.run.ids) - 1 for a in active]
        width = min(length, (max(position) // CACHE_LENGTH_STEP + 1) * CACHE_LENGTH_STEP)
        ids = torch.tensor(last, device=device)[:, None]
        positions = torch.tensor(position, device=device)[:, None]
        mask = (columns[:width] <= positions)[:, None, None]
        sampled = {name: sampler(model(ids, caches[name], positions, mask)[:, -1]).tolist()
                   for name, model in models.items()}
        for i, a in enumerate(active):
            if a.request is not None:
                a.send(sampled[a.request.model][i] if a.request.token is None else a.request.token)
