# Rules that the tree is held to, as tests: who includes whom, and sizes of files and folders.
foreach(check include_graph tree_sizes)
  add_test(NAME tree.${check} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/${check}_test.py)
  set_tests_properties(tree.${check} PROPERTIES TIMEOUT 60)
endforeach()
