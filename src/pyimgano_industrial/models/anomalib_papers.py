"""The paper of each of anomalib's image models: its title and year, None where no paper states one."""

from __future__ import annotations

PAPERS: dict[str, tuple[str, int | None]] = {
    "anomaly_dino": ("AnomalyDINO: Boosting Patch-based Few-shot Anomaly Detection with DINOv2", 2025),
    "anomalyvfm": ("AnomalyVFM -- Transforming Vision Foundation Models into Zero-Shot Anomaly Detectors", 2026),
    "cfa": (
        "CFA: Coupled-hypersphere-based Feature Adaptation for Target-Oriented Anomaly Localization",
        2022,
    ),
    "cflow": ("Real-Time Unsupervised Anomaly Detection with Localization via Conditional Normalizing Flows", 2022),
    "cfm": ("Multimodal Industrial Anomaly Detection by Crossmodal Feature Mapping", 2024),
    "csflow": ("Fully Convolutional Cross-Scale-Flows for Image-Based Defect Detection", 2022),
    "dfkde": ("Deep Feature Kernel Density Estimation", None),
    "dfm": ("Probabilistic Modeling of Deep Features for Out-of-Distribution and Adversarial Detection", 2019),
    "dinomaly": ("Dinomaly: The Less Is More Philosophy in Multi-Class Unsupervised Anomaly Detection", 2025),
    "draem": ("DRAEM: A Discriminatively Trained Reconstruction Embedding for Surface Anomaly Detection", 2021),
    "dsr": ("DSR: A Dual Subspace Re-Projection Network for Surface Anomaly Detection", 2022),
    "efficient_ad": ("EfficientAD: Accurate Visual Anomaly Detection at Millisecond-Level Latencies", 2024),
    "fastflow": (
        "FastFlow: Unsupervised Anomaly Detection and Localization via 2D Normalizing Flows",
        2021,
    ),
    "foundad": ("Foundation Visual Encoders Are Secretly Few-Shot Anomaly Detectors", 2025),
    "fre": ("FRE: A Fast Method For Anomaly Detection And Segmentation", 2023),
    "ganomaly": ("GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training", 2018),
    "general_ad": ("GeneralAD: Anomaly Detection Across Domains by Attending to Distorted Features", 2024),
    "glass": (
        "A Unified Anomaly Synthesis Strategy with Gradient Ascent for Industrial Anomaly Detection and Localization",
        2024,
    ),
    "inp_former": (
        "Exploring Intrinsic Normal Prototypes within a Single Image for Universal Anomaly Detection",
        2025,
    ),
    "l2bt": ("Learning to Be a Transformer to Pinpoint Anomalies", 2025),
    "mh_patchcore": (
        "Mahalanobis PatchCore: Covariance-Aware and Streaming-Compatible Industrial Anomaly Detection",
        2026,
    ),
    "padim": ("PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization", 2020),
    "patchcore": ("Towards Total Recall in Industrial Anomaly Detection", 2022),
    "patchflow": ("PatchFlow: Leveraging a Flow-Based Model with Patch Features", 2026),
    "rad": ("RAD (arXiv:2601.22763)", 2026),
    "reverse_distillation": ("Anomaly Detection via Reverse Distillation from One-Class Embedding", 2022),
    "rkde": ("Region Based Anomaly Detection With Real-Time Training and Analysis", 2019),
    "stfpm": ("Student-Teacher Feature Pyramid Matching for Anomaly Detection", 2021),
    "super_add": ("SuperADD: Training-free Class-agnostic Anomaly Segmentation", 2026),
    "supersimplenet": (
        "SuperSimpleNet: Unifying Unsupervised and Supervised Learning for Fast and Reliable Surface Defect Detection",
        2024,
    ),
    "uflow": ("U-Flow: A U-shaped Normalizing Flow for Anomaly Detection with Unsupervised Threshold", 2022),
    "uninet": ("UniNet: Unified Contrastive Learning Framework for Anomaly Detection", 2025),
    "winclip": ("WinCLIP: Zero-/Few-Shot Anomaly Classification and Segmentation", 2023),
}
