// What the engine has of one model.
#pragma once

#include <memory>
#include <string>

#include "engine/graph_decoder.h"
#include "engine/operator_decoder.h"
#include "specthink/engine/engine.h"

namespace specthink::inline engine {

struct Engine::ModelState {
  ModelState(Model loaded, const ProcessGroup& group, Collectives& collectives)
      : model(std::move(loaded)),
        pages(model.transformer->num_pages()),
        prefill{group, *model.transformer, model.prefill_rows},
        operators(prefill, collectives) {}

  Model model;
  PageAllocator pages;
  PrefillContext prefill;
  OperatorDecoder operators;
  std::unique_ptr<GraphDecoder> graph;  // null: operators alone
  std::optional<StepKernels> kernels;   // of the graph
  std::string obstacle;                 // why there is no graph, or no graph of the kernels for Hopper
};

}  // namespace specthink::inline engine
