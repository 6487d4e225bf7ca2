"""The files of a campaign from samples to promotion, on a tiny domain of simulated weather: seconds for each step."""

from tiny_domain import DOMAIN

WEATHER = "simulated_weather: {variables: [t2m], start: %s, every: 25, stations: {random: 80}, seed: 1}"
VERBS = "samples", "train", "verify", "gate", "release", "promote"
CHECKPOINT = "out/training/checkpoints/step_00000008"
FILES = {
    "tiny.yaml": DOMAIN,
    "machine.yaml": "scheduler: none\nlauncher: none\njobs: {" + ", ".join(f"{verb}: {{}}" for verb in VERBS) + "}\n",
    "samples.yaml": f"cases: {{domain: tiny.yaml, count: 4, {WEATHER % '2022-07-01'}}}\noutput: out/s.h5\nedge: 8\n",
    "train.yaml": """\
samples: [out/s.h5]
output: out/training
method: vit
settings: {variables: [t2m], token_spacing: 80.0e3, neighbours: 4, width: 16, hidden: 16, window: 2}
variants: 2
schedule: {steps: 8, batch: 2, learning_rate: 3.0e-3}
""",
    "verify.yaml": f"""\
cases: {{domain: tiny.yaml, count: 6, {WEATHER % "2023-01-05"}}}
checkpoint: {CHECKPOINT}
method: [vit, first_guess]
incumbent: weights
output: out/verified
folds: 2
""",
    "gate.yaml": f"""\
candidate: [{CHECKPOINT}]
matches: [out/verified/matches.csv]
weights: weights
reference: first_guess
output: out/gate
rules: {{rmse: {{at_most: 1000.0}}, reports: 100}}
""",
    "release.yaml": "gate: out/gate/decision.json\noutput: out/release\ndata: [simulated]\ncommand: mlrtma submit\n",
    "campaign.yaml": """\
steps:
  samples: {verb: samples, config: samples.yaml}
  train: {verb: train, config: train.yaml, resources: {nodes: 1}, after: [samples]}
  verify: {verb: verify, config: verify.yaml, after: [train]}
  gate: {verb: gate, config: gate.yaml, after: [verify]}
  release: {verb: release, config: release.yaml, after: [gate]}
  promote: {verb: promote, config: out/release, set: [weights=weights, gate=out/gate/decision.json], after: [release]}
""",
}
