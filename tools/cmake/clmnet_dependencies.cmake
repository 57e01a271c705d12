# Third-party libraries, each as one imported target. Debian 12 supplies all but LibTorch.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(TBB REQUIRED)
find_package(Eigen3 REQUIRED)
find_package(Boost REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
pkg_check_modules(libcrypto REQUIRED IMPORTED_TARGET libcrypto)

if(CLMNET_WITH_WSI)
  pkg_check_modules(openslide REQUIRED IMPORTED_TARGET openslide)
  pkg_check_modules(libtiff REQUIRED IMPORTED_TARGET libtiff-4)
  pkg_check_modules(libturbojpeg REQUIRED IMPORTED_TARGET libturbojpeg)
  pkg_check_modules(libjpeg REQUIRED IMPORTED_TARGET libjpeg)
  pkg_check_modules(vips REQUIRED IMPORTED_TARGET vips)
  pkg_check_modules(lcms2 REQUIRED IMPORTED_TARGET lcms2)
  pkg_check_modules(cpp_httplib REQUIRED IMPORTED_TARGET cpp-httplib)  # its flags decide the layout of its classes
  pkg_check_modules(hdf5 REQUIRED IMPORTED_TARGET hdf5-serial)

  # Debian puts OpenCV's CMake files in libopencv-dev, which brings 200 packages; three libraries are enough here.
  find_path(CLMNET_OPENCV_INCLUDE opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
  add_library(clmnet_opencv INTERFACE)
  target_include_directories(clmnet_opencv SYSTEM INTERFACE ${CLMNET_OPENCV_INCLUDE})
  foreach(part imgproc core imgcodecs)
    find_library(CLMNET_OPENCV_${part} opencv_${part} REQUIRED)
  endforeach()
  target_link_libraries(clmnet_opencv INTERFACE ${CLMNET_OPENCV_imgproc} ${CLMNET_OPENCV_core})
  # Picture files bring 100 libraries with them (GDAL and what it needs): only the part that is loaded late takes them.
  add_library(clmnet_imgcodecs INTERFACE)
  target_link_libraries(clmnet_imgcodecs INTERFACE ${CLMNET_OPENCV_imgcodecs} clmnet_opencv)
endif()

if(CLMNET_WITH_NETS)
  if(NOT EXISTS "${CLMNET_LIBTORCH_DIR}/include/torch/csrc/api/include/torch/torch.h")
    message(FATAL_ERROR "LibTorch is not in ${CLMNET_LIBTORCH_DIR}; run tools/setup, or give -DCLMNET_LIBTORCH_DIR=DIR")
  endif()
  # find_package(Torch) of a CUDA wheel demands the CUDA toolkit; libtorch_cuda.so is loaded at run time instead.
  add_library(clmnet_libtorch INTERFACE)
  target_include_directories(clmnet_libtorch SYSTEM INTERFACE
    "${CLMNET_LIBTORCH_DIR}/include" "${CLMNET_LIBTORCH_DIR}/include/torch/csrc/api/include")
  target_link_libraries(clmnet_libtorch INTERFACE
    "${CLMNET_LIBTORCH_DIR}/lib/libtorch_cpu.so" "${CLMNET_LIBTORCH_DIR}/lib/libc10.so"
    "${CLMNET_LIBTORCH_DIR}/lib/libgomp.so.1" Threads::Threads)
  target_link_options(clmnet_libtorch INTERFACE "-Wl,-rpath,${CLMNET_LIBTORCH_DIR}/lib")
endif()
