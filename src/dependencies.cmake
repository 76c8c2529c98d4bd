# Libraries of others: what is looked for, where, and as which target.

include(${CMAKE_CURRENT_LIST_DIR}/dependency_versions.cmake)

find_package(Python3 COMPONENTS Interpreter REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
# Quietly: what is missing or too old is said at once, below.
find_package(MPI QUIET COMPONENTS C)
find_package(yaml-cpp QUIET)
find_package(Boost QUIET COMPONENTS program_options)
find_package(nlohmann_json QUIET)
find_package(spdlog QUIET)
find_package(fmt QUIET)
pkg_check_modules(PCRE2 QUIET IMPORTED_TARGET libpcre2-8)
find_path(UTF8PROC_INCLUDE_DIR utf8proc.h)
find_library(UTF8PROC_LIBRARY utf8proc)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  require_dependency(GCC ${CMAKE_CXX_COMPILER_VERSION})
endif()
# Another MPI is as good when it has the standard's third version: launchers of its own are not known.
set(mpi_header "")
foreach(folder IN LISTS MPI_C_INCLUDE_DIRS)
  if(EXISTS ${folder}/mpi.h)
    set(mpi_header ${folder}/mpi.h)
    break()
  endif()
endforeach()
version_in_header("${mpi_header}" OMPI_MAJOR_VERSION OMPI_MINOR_VERSION OMPI_RELEASE_VERSION openmpi_version)
if(MPI_C_FOUND AND openmpi_version STREQUAL "")
  if(MPI_C_VERSION VERSION_LESS 3.1)
    message(FATAL_ERROR "MPI: expected version 3.1 of the standard, found ${MPI_C_VERSION} in ${mpi_header}")
  endif()
else()
  require_dependency("Open MPI" "${openmpi_version}")
endif()
if(NOT Boost_VERSION_STRING)
  set(Boost_VERSION_STRING ${Boost_VERSION})
endif()
version_in_header("${UTF8PROC_INCLUDE_DIR}/utf8proc.h" UTF8PROC_VERSION_MAJOR UTF8PROC_VERSION_MINOR UTF8PROC_VERSION_PATCH utf8proc_version)
require_dependency(Boost "${Boost_VERSION_STRING}")
require_dependency(yaml-cpp "${yaml-cpp_VERSION}")
require_dependency(nlohmann-json "${nlohmann_json_VERSION}")
require_dependency(PCRE2 "${PCRE2_VERSION}")
require_dependency(utf8proc "${utf8proc_version}")
require_dependency(spdlog "${spdlog_VERSION}")
require_dependency(fmt "${fmt_VERSION}")
if(SPECTHINK_TESTS AND NOT SPECTHINK_FUZZ)
  find_package(GTest QUIET)
  require_dependency(GoogleTest "${GTest_VERSION}")
endif()
report_dependencies()

if(NOT TARGET yaml-cpp::yaml-cpp)  # yaml-cpp before 0.8
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

add_library(utf8proc::utf8proc UNKNOWN IMPORTED)
set_target_properties(utf8proc::utf8proc PROPERTIES
  IMPORTED_LOCATION ${UTF8PROC_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${UTF8PROC_INCLUDE_DIR})

add_library(specthink_mpi INTERFACE)
target_link_libraries(specthink_mpi INTERFACE MPI::MPI_C)
target_compile_definitions(specthink_mpi INTERFACE OMPI_SKIP_MPICXX)  # the removed C++ bindings

# --- torch: the package of an installed Python, or of the virtual environment in the build folder -----------------------
# torch/version.py is read without importing torch: a package installed without its Python dependencies is enough for C++.
function(find_torch_package python result)
  execute_process(
    COMMAND ${python} -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(folder AND EXISTS ${folder}/include/ATen/ATen.h AND EXISTS ${folder}/version.py)
    set(${result} ${folder} PARENT_SCOPE)
  endif()
endfunction()

set(torch_folder ${SPECTHINK_TORCH})
foreach(python python3 ${Python3_EXECUTABLE} ${CMAKE_BINARY_DIR}/venv/bin/python3)
  if(NOT torch_folder)
    find_torch_package(${python} torch_folder)
  endif()
endforeach()
if(NOT torch_folder)
  message(FATAL_ERROR "No torch package found. Run launch/setup.sh, or pass -DSPECTHINK_TORCH=<folder of the torch package>.")
endif()
file(READ ${torch_folder}/version.py version_py)
string(REGEX MATCH "__version__ = '([^']*)'" _ "${version_py}")
set(TORCH_VERSION ${CMAKE_MATCH_1})
set(TORCH_CUDA_VERSION "")
if(version_py MATCHES "cuda[^\n]*= '([0-9.]+)'")
  set(TORCH_CUDA_VERSION ${CMAKE_MATCH_1})
endif()
string(REGEX MATCH "^[0-9.]+" torch_release "${TORCH_VERSION}")
require_dependency(LibTorch "${torch_release}")
report_dependencies()
message(STATUS "torch ${TORCH_VERSION} in ${torch_folder}")

# --- CUDA ---------------------------------------------------------------------------------------------------------------
set(SPECTHINK_WITH_CUDA OFF)
if(NOT SPECTHINK_CUDA STREQUAL "OFF")
  find_program(SPECTHINK_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATH_SUFFIXES bin)
  if(NOT SPECTHINK_NVCC)
    find_program(SPECTHINK_NVCC nvcc PATHS /usr/local/cuda/bin NO_DEFAULT_PATH)
  endif()
  if(SPECTHINK_NVCC AND TORCH_CUDA_VERSION)
    set(SPECTHINK_WITH_CUDA ON)
  elseif(SPECTHINK_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SPECTHINK_CUDA=ON needs nvcc (found: ${SPECTHINK_NVCC}) and a CUDA build of torch (CUDA version of ${torch_folder}: '${TORCH_CUDA_VERSION}').")
  endif()
endif()
message(STATUS "CUDA code: ${SPECTHINK_WITH_CUDA}")

get_filename_component(site_packages ${torch_folder} DIRECTORY)
file(GLOB nvidia_library_folders ${site_packages}/nvidia/*/lib)

# torch ships headers of other libraries too (fmt among them) that would hide the system's: only its own are made visible.
set(torch_include ${CMAKE_BINARY_DIR}/torch_include)
file(MAKE_DIRECTORY ${torch_include})
foreach(part ATen c10 torch)
  file(CREATE_LINK ${torch_folder}/include/${part} ${torch_include}/${part} SYMBOLIC)
endforeach()

add_library(specthink_torch INTERFACE)
target_include_directories(specthink_torch SYSTEM INTERFACE ${torch_include})
target_link_directories(specthink_torch INTERFACE ${torch_folder}/lib)
target_link_options(specthink_torch INTERFACE
  "LINKER:-rpath,${torch_folder}/lib"
  "LINKER:--allow-shlib-undefined")
foreach(folder ${nvidia_library_folders})
  target_link_options(specthink_torch INTERFACE "LINKER:-rpath,${folder}")
endforeach()

if(SPECTHINK_WITH_CUDA)
  set(CMAKE_CUDA_COMPILER ${SPECTHINK_NVCC})
  set(CMAKE_CUDA_ARCHITECTURES ${SPECTHINK_CUDA_ARCHITECTURES})
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # torch links the shared one too; there must be one runtime
  set(CMAKE_CUDA_STANDARD 20)
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  string(REGEX MATCH "^[0-9]+" torch_cuda_major ${TORCH_CUDA_VERSION})
  if(NOT CUDAToolkit_VERSION_MAJOR EQUAL torch_cuda_major)
    message(FATAL_ERROR "CUDA toolkit ${CUDAToolkit_VERSION} does not fit torch's CUDA ${TORCH_CUDA_VERSION}: install a torch built for CUDA ${CUDAToolkit_VERSION_MAJOR}, or pass -DSPECTHINK_CUDA=OFF.")
  endif()
  find_path(NCCL_INCLUDE_DIR nccl.h
    PATHS ${site_packages}/nvidia/nccl/include NO_DEFAULT_PATH)
  find_library(NCCL_LIBRARY NAMES libnccl.so.2 nccl
    PATHS ${site_packages}/nvidia/nccl/lib NO_DEFAULT_PATH)
  set(nccl_version "")
  if(NCCL_LIBRARY)
    version_in_header("${NCCL_INCLUDE_DIR}/nccl.h" NCCL_MAJOR NCCL_MINOR NCCL_PATCH nccl_version)
  endif()
  require_dependency(CUDA "${CUDAToolkit_VERSION}")
  require_dependency(NCCL "${nccl_version}")
  report_dependencies()
  target_include_directories(specthink_torch SYSTEM INTERFACE ${NCCL_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(specthink_torch INTERFACE
    "-Wl,--no-as-needed" torch_cuda c10_cuda torch_cpu c10 ${NCCL_LIBRARY} CUDA::cudart "-Wl,--as-needed")
  target_compile_definitions(specthink_torch INTERFACE SPECTHINK_WITH_CUDA=1)
else()
  target_link_libraries(specthink_torch INTERFACE "-Wl,--no-as-needed" torch_cpu c10 "-Wl,--as-needed")
endif()

write_libraries(${CMAKE_BINARY_DIR}/generated/libraries.inc)
