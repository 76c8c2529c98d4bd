# Rules that the tree is held to, as tests: who includes whom, sizes of files and folders, names within a folder.
foreach(check include_graph tree_sizes unity_names)
  add_test(NAME tree.${check} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/${check}_test.py)
  set_tests_properties(tree.${check} PROPERTIES TIMEOUT 60)
endforeach()
