"""What the paper prints, as data: tables, claims, settings, and what it leaves unstated.

Nothing here is computed from our results. The literals below keep the spelling and the order of the
page, so that they can be compared with it by eye; ``CELLS``, ``CLAIMS`` and the rest are read from
them. Hyphens and line breaks that the page's layout put into words are repaired, nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

#: Measures of Tables 1 and 2, in the order of their columns.
MEASURES = ("precision", "recall", "f1")


@dataclass(frozen=True)
class Cell:
    """One printed number of Table 1 or 2.

    All cells have two decimals whose trailing zeros were dropped: "0.6" is 0.60, "1" is 1.00.

    Attributes
    ----------
    table : int
        1 or 2.
    task : str
        "four" or "two" classes.
    method : str
        "NB", "SVM", "DCLNN", "AveragePooling" or "MaxPooling".
    class_ : str
        As printed: "NEUTROPHIL", …, "Mononuclear", "Polynuclear", or "Average".
    measure : str
        One of ``MEASURES``.
    printed : str
        The number exactly as it stands on the page.
    """

    table: int
    task: str
    method: str
    class_: str
    measure: str
    printed: str

    @property
    def address(self) -> str:
        """What ``bloodlib explain`` finds it by; the chapter on provenance has it as an anchor."""
        return f"tbl-paper-{self.table}/{self.task}/{self.method}/{self.class_}/{self.measure}"

    @property
    def value(self) -> float:
        """The printed number."""
        return float(self.printed)

    @property
    def interval(self) -> tuple[float, float]:
        """Lowest and highest true value, both included, if it was rounded to two decimals."""
        return max(0.0, round(self.value - 0.005, 3)), min(1.0, round(self.value + 0.005, 3))

    @property
    def truncated(self) -> tuple[float, float]:
        """Lowest true value and its bound above if it was cut after two decimals.

        The bound is not reached, except by "1", which is 1 exactly.
        """
        return self.value, min(1.0, round(self.value + 0.01, 2))


_TABLES = """\
Table 1, four classes
NB              NEUTROPHIL   0.28  0.32  0.29
                EOSINOPHIL   0.28  0.26  0.27
                MONOCYTE     0.39  0.41  0.40
                LYMPHOCYTE   0.25  0.22  0.23
                Average      0.30  0.30  0.30
SVM             NEUTROPHIL   0.28  0.27  0.27
                EOSINOPHIL   0.27  0.31  0.29
                MONOCYTE     0.40  0.50  0.44
                LYMPHOCYTE   0.17  0.11  0.13
                Average      0.28  0.30  0.28
DCLNN           NEUTROPHIL   0.6   0.94  0.74
                EOSINOPHIL   0.95  0.61  0.74
                MONOCYTE     0.97  0.77  0.86
                LYMPHOCYTE   1     1     1
                Average      0.88  0.83  0.83
Table 1, two classes
NB              Mononuclear  0.56  0.51  0.54
                Polynuclear  0.56  0.61  0.58
                Average      0.56  0.56  0.56
SVM             Mononuclear  0.56  0.52  0.54
                Polynuclear  0.55  0.59  0.57
                Average      0.56  0.56  0.56
DCLNN           Mononuclear  0.98  0.88  0.92
                Polynuclear  0.89  0.98  0.93
                Average      0.93  0.93  0.93
Table 2, four classes
AveragePooling  NEUTROPHIL   0.64  0.81  0.71
                EOSINOPHIL   0.81  0.63  0.71
                MONOCYTE     0.94  0.8   0.86
                LYMPHOCYTE   0.91  1     0.95
                Average      0.82  0.81  0.81
MaxPooling      NEUTROPHIL   0.60  0.94  0.74
                EOSINOPHIL   0.95  0.61  0.74
                MONOCYTE     0.97  0.77  0.86
                LYMPHOCYTE   1     1     1
                Average      0.88  0.83  0.83
Table 2, two classes
AveragePooling  Mononuclear  0.99  0.87  0.93
                Polynuclear  0.89  0.99  0.94
                Average      0.94  0.93  0.93
MaxPooling      Mononuclear  0.98  0.88  0.92
                Polynuclear  0.89  0.98  0.93
                Average      0.93  0.93  0.93
"""


def _read_tables() -> Iterator[Cell]:
    for line in _TABLES.splitlines():
        if line.startswith("Table"):
            _, table, task, _ = line.replace(",", "").split()
            continue
        *method_if_new, class_, precision, recall, f1 = line.split()
        if method_if_new:
            (method,) = method_if_new
        for measure, printed in zip(MEASURES, (precision, recall, f1), strict=True):
            yield Cell(int(table), task, method, class_, measure, printed)


#: Every number of Tables 1 and 2.
CELLS = tuple(_read_tables())


def cells(**where: int | str) -> tuple[Cell, ...]:
    """Select printed numbers by the attributes of `Cell`, in the order of the page.

    Parameters
    ----------
    **where
        Attributes and the value that each must have, e.g. ``method="NB", measure="recall"``.

    Returns
    -------
    tuple of Cell
        Empty if each value is printed somewhere but never together (NB in Table 2).

    Raises
    ------
    ValueError
        If an attribute does not exist, or no cell at all has the value asked for.
    """
    names = [field.name for field in fields(Cell)]
    for name, value in where.items():
        if name not in names:
            raise ValueError(f"a cell has no attribute {name!r}; it has {', '.join(names)}")
        known = list(dict.fromkeys(getattr(cell, name) for cell in CELLS))
        if value not in known:
            raise ValueError(f"no cell has {name}={value!r}; there are {known}")
    return tuple(
        cell for cell in CELLS if all(getattr(cell, name) == where[name] for name in where)
    )


@dataclass(frozen=True)
class Claim:
    """A statement of the paper about its data, its method or its results.

    Attributes
    ----------
    id : str
        Short name, unique.
    place : str
        Where it stands, with the table or figure that it points to.
    text : str
        The paper's own words.
    about : str
        What would have to be true, in terms that can be measured. It ends with "The print alone
        decides." where no run and no image is needed, with "Can also be checked against the print."
        where the paper's own numbers say something too, and with "Nothing in the paper measures
        it." where it has none.
    """

    id: str
    place: str
    text: str
    about: str


# First line: id | place. Lines with ">": the paper's words. The rest: what it is about.
_CLAIMS = """\
images-13k-abstract | abstract
> a dataset of 13k images of blood cells with their subtypes
The dataset has 13,000 labelled images when their number is rounded to thousands.

better-results | abstract
> our proposed model provide better results in terms of evaluation parameters
DCLNN has a higher accuracy and higher average precision, recall and F1 than NB and SVM, in both
tasks. Can also be checked against the print.

accuracy-two-94 | section 1
> we propose a CNN-based model which gives 94 percent accuracy for the 2 labels i.e. polynuclear
> and mononuclear
DCLNN's accuracy on held-out images is 0.94 with two classes, and the printed recalls allow it. Can
also be checked against the print.

accuracy-four-78 | section 1
> 78 percent accuracy for the 4 labels i.e. eosinphil,lymphocyte, neutrophil and monocyte
DCLNN's accuracy on held-out images is 0.78 with four classes, and the printed recalls allow it.
Can also be checked against the print.

raw-pixels | section 3
> Our method takes the pixels of images (of three channels, RGB) as the input, and an algorithm
> automatically learns and harvests the critical variables during the training.
The network gets nothing but the pixels in three channels, and decides by the white cell in them.

fewer-parameters | section 4.1
> CNN imposes two additional layers, convolution and pooling, that may significantly reduce the
> magnitude of parameters.
The network has far fewer weights than its fully-connected layers put directly on the pixels.

kernels-differ | section 4.1, Figure 1
> The modification of kernel generates the features that have the variant effects, e.g.,
> identification of the object, the edge detection, sharpen the image, etc.
Other numbers in a 3x3 kernel turn the same image into visibly other features, edges among them.

pooling-keeps-information | section 4.1, Figure 2
> designed to reduce the convolved features produced from the convolution operator with the
> incentive of remaining the considerable information
With pooling, the network is smaller and scores no less than without. Nothing in the paper measures
it.

settings-complete | section 4.2
> All the detailed settings are listed as the follows
The list suffices to build and train the network without choosing anything. The print alone
decides.

algorithm-implemented | section 4.3
> In proposed algorithm, forward pass and backward propagation algorithm has been implemented.
Equations 6 to 13 describe the network of section 4.2, layer by layer. The print alone decides.

four-measures-used | section 4.4
> Accuracy, Precision, Recall and F-measure has been used to evaluate the performance of the models
All four measures are reported for each model. The print alone decides.

images-13k | section 5
> The experiment dataset contains around 13k augmented pictures of blood cells with having the
> blood cell type labels.
There are around 13,000 augmented images, each with the label of its class.

pictures-3000-each | section 5
> There are around 3000 pictures for each blood cell types
Each class has around 3,000 augmented images, and the classes together make up the dataset. Can
also be checked against the print.

five-categories | section 5
> 5 different categories with the type of cell i.e. eosinphil, basophil,lymphocyte, neutrophil and
> monocyte
The dataset's labels distinguish these five types.

no-basophil | section 5
> Basophil is not taken into consideration during analysis because there was no image of basophil
> in the obtained dataset.
No photograph or image of the dataset is labelled basophil.

originals-400 | section 5
> There is original dataset accompanied with augmented one which has 400 pictures in jpeg file
The dataset holds about 400 original photographs in JPEG files.

originals-two-labels | section 5
> with having two blood cell labels i.e. polynuclear and mononuclear
The labels of the original photographs are these two and no others.

dclnn-beats-baselines-four | section 6.2, Table 1
> In the four-classes classification task, no matter which classifier and which matrix (precision,
> recall, F1), DCLNN thoroughly outperforms NB and SVM, labeled bold.
For each of the four classes and each measure, DCLNN scores higher than NB and than SVM. Can also
be checked against the print.

average-precision-088 | section 6.2, Table 1, Figure 4
> DCLNN ends up with the avarage precision equal to 0.88, more than double times higher than SVM
> and NB
With four classes, DCLNN's average precision is 0.88 and over twice that of NB and of SVM. Can also
be checked against the print.

recall-almost-triple | section 6.2, Table 1, Figure 5
> The recall produced by DCLNN is 0.83, almost triple times better than NB and SVM
With four classes, DCLNN's average recall is 0.83 and nearly three times that of NB and of SVM. Can
also be checked against the print.

f1-083 | section 6.2, Table 1, Figure 6
> F1 score equal to 0.83
With four classes, DCLNN's average F1 is 0.83. Can also be checked against the print.

baselines-better-on-two | section 6.2, Table 1
> NB and SVM have better performance than the four-classes classification
NB and SVM score higher on average with two classes than with four, though chance is higher too.
Can also be checked against the print.

dclnn-beats-baselines-two | section 6.2, Table 1, Figures 4 to 6
> DCLNN still outraces both of them for the mononuclear and polynuclear classes with respect to the
> precision, recall and F1 score
For both of the two classes and each measure, DCLNN scores higher than NB and than SVM. Can also be
checked against the print.

average-pooling-better-somewhere | section 6.2, Table 2
> AveragePooling has better performance at some points, e.g., precision of neutrophil classifier,
> recall of the eosinophil classifier, etc.
With four classes, average pooling scores higher in neutrophil precision, eosinophil recall and
more. Can also be checked against the print.

max-pooling-better-overall | section 6.2, Table 2, Figures 4 to 6
> However, comprehensively MaxPooling outperforms AveragePooling
With four classes, max pooling scores higher in average precision, recall and F1. Can also be
checked against the print.

pooling-same-on-two | section 6.2, Table 2, Figures 4 to 6
> Referring to two classes, they are virtually identical.
With two classes, the two poolings' scores differ by no more than chance makes them differ. Can
also be checked against the print.

epochs-precision | section 6.2, Figure 7
> to determine the optimal number of epochs for training and validation we exhaustively iterate
> variant number and compute the precision, in Figure 7
Figure 7 shows precision, as the text says and its caption does not. The print alone decides.

epochs-25 | section 6.2, Figure 7
> We conclude that 25 is a good option trade-off between precision and computing time.
Validation precision rises up to epoch 25 and gains little after it, while the time goes on
growing.

diagnosis-problems-gone | section 6.2
> very useful in the medical field and this proposed model allow to get rid from the blood
> diagnosis problems
No problem of blood diagnosis is left where the model is used. Nothing in the paper measures it.

better-than-state-of-art | section 7
> implementation of deep learning enhance the classification task as compared to state-of-art
> models
DCLNN scores higher than the best models of its time on these images. Nothing in the paper measures
it.

competes-in-all-aspects | section 7
> it compete in all aspects with the baseline approaches
DCLNN is no worse than NB and SVM in any measure, nor in what training and prediction cost.

high-accuracy | section 7
> Our proposed model can automatically classify the blood cell images into subtypes of the cells
> with high accuracy, precision and other evaluation parameters.
DCLNN's scores are high on cells that it was not trained on, also on another laboratory's.

beneficial-for-diagnosis | section 7
> This proposed model can be very beneficial for blood diagnosis in the medical field that can save
> a lot of time.
Diagnoses with the model are better or sooner than without. Nothing in the paper measures it.

larger-dataset | section 7
> Researchers may implement this work on large dataset that may outperform the current results.
The same network scores higher on held-out images when trained on more cells. Nothing in the paper
measures it.
"""


def _read_claims() -> Iterator[Claim]:
    for paragraph in _CLAIMS.strip().split("\n\n"):
        head, *lines = paragraph.split("\n")
        id_, place = head.split(" | ")
        text = " ".join(line.removeprefix("> ") for line in lines if line.startswith("> "))
        yield Claim(id_, place, text, " ".join(line for line in lines if not line.startswith("> ")))


#: Everything in the paper that could be true or false.
CLAIMS = tuple(_read_claims())


@dataclass(frozen=True)
class Setting:
    """A setting that the paper states, its value as printed ("" where a blank is printed)."""

    name: str
    value: str
    place: str


_STATED = """\
Convolutional layers                    | two                | section 4.2
First convolution: kernel size          | 3x3                | section 4.2, item 1
First convolution: output filters       | 32                 | section 4.2, item 1
First convolution: initializer          | Glorot uniform     | section 4.2, item 1
Second convolution: kernel size         | 3x3                | section 4.2, item 1
Second convolution: output filters      | 64                 | section 4.2, item 1
Second convolution: initializer         | Glorot uniform     | section 4.2, item 1
Convolutions: activation function       | ReLu               | section 4.2, item 1
Convolutions: stride                    | 1                  | section 4.2, item 1
Input image size                        | 60x80 (3 channels) | section 4.2, item 1
Input channels                          | RGB                | section 3
Pooling layers                          | one                | section 4.2
Pooling type                            | Maximize           | section 4.2, item 2
Pool size                               | 2x2                | section 4.2, item 2
Dropout                                 | 0.25               | section 4.2, item 2
Hidden layers                           | one                | section 4.2
Hidden layer: number of nodes           |                    | section 4.2, item 3
Hidden layer: activation function       | ReLu               | section 4.2, item 3
Output layer: number of nodes           | number of classes  | section 4.2, item 4
Output layer: activation function       | Softmax            | section 4.2, item 4
Loss function                           | Cross Entropy      | section 4.2, item 5
Activation function in equations 6 to 9 | tanh               | section 4.3
Epochs                                  | 25                 | section 6.2, Figure 7
"""

#: Settings that section 4.2 states.
STATED = tuple(
    Setting(*(part.strip() for part in line.split("|"))) for line in _STATED.splitlines()
)


@dataclass(frozen=True)
class Unstated:
    """A setting that the paper leaves open: the value used here, and why."""

    name: str
    ours: str
    why: str


# First line: name | our value. The rest: why. "The notebook" is the public Kaggle notebook
# "Identify Blood Cell Subtypes From Images" by P. Mooney, which has the same network, the same
# order of classes as the paper's tables and the colours of its Figure 7.
_UNSTATED = """\
Hidden layer: number of nodes | 128
The paper prints a blank; the notebook has 128.

Dropout after the hidden layer | 0.5
The notebook has it; the paper lists only the 0.25 after pooling.

Optimizer | Adadelta, learning rate 1.0, rho 0.95
What Keras' Adadelta was when the notebook was written; today's default rate of 0.001 barely learns.

Batch size | 32
What the notebook trains with; a batch size of 128 stands in it and is never used.

Padding of the convolutions | valid
Keras' default, which the notebook leaves as it is.

Pixel scaling | divided by 255
As in the notebook.

Channel order | RGB
Section 3 says RGB; the notebook's cv2.imread gives BGR. The first layer can learn either.

Resize filter | bilinear, averaging over the source area
The notebook's cv2 bilinear samples four pixels without averaging; Pillow's averages over all.

Augmentation while training | rotation up to 10°, shift up to 0.1, horizontal flip, nearest fill
As in the notebook. The dataset's images are augmented already; these come on top.

Held-out images | TEST
The notebook validates on this folder, and scores after each epoch, so that epochs are chosen on it.

Epoch of Tables 1 and 2 | 25
Section 6.2 settles on 25; the notebook trains for 30. That the tables stand at 25 is our reading.

Kind of Naive Bayes | Gaussian
Equation 1 leaves the distribution open; pixels are numbers, and this is the usual choice for them.

SVM error function | C-SVM (equations 2 and 3)
Sections 2.2 and 6.2 don't say which of the two is in the table; this is what libraries call SVC.

SVM: nu | 0.5
scikit-learn's default for equations 4 and 5; at most twice the smaller class's share in each pair.

SVM: kernel | RBF
The paper names a kernel function and no kernel; this is scikit-learn's default.

SVM: C | 1
scikit-learn's default.

SVM: gamma | scale
scikit-learn's default: one over the number of features times their variance.

What the baselines see | pixels of the 60x80 images
The paper calls its own input raw pixels and mentions no features for the baselines.

Number of runs | three seeds or more of each network, one run of what chance has no part in
No spread is printed: one run, it seems, but the paper doesn't say so.

Average | unweighted mean of the class rows
Every printed Average agrees with it within rounding (TEST's classes are so nearly equal that a mean
weighted by size does too). F1 is averaged as well: with four classes, DCLNN's average precision
0.88 and recall 0.83 would make an F1 of 0.85, but 0.83 is printed.
"""


def _read_unstated() -> Iterator[Unstated]:
    for paragraph in _UNSTATED.strip().split("\n\n"):
        head, *why = paragraph.split("\n")
        name, ours = head.split(" | ")
        yield Unstated(name, ours, " ".join(why))


#: Settings that the paper leaves open, with our choice and the reason.
UNSTATED = tuple(_read_unstated())

SETUP = (
    ("Processor", "Intel(R) Core(TM)i7-7700K CPU @ 4.20GHz"),
    ("RAM", "16.0 GB"),
    ("Operating System", "Ubuntu 18.04"),
    ("Graphic Card", "Nvidia GeForce GTX 1060 3GB"),
)

_COMPARED = (
    "comparison among Naive Bayes, Support Vector Machine, Double Convolution Layer Neural Network "
    "(DCLNN), Average Pooling and Max Pooling based on two classes and four classes"
)

FIGURES = {
    1: "An example of convolution operation: image pixel matrix, kernel and convolved feature",
    2: "An example of max pooling and average pooling operation",
    3: "Architecture of the Proposed Model",
    4: f"Average Precision {_COMPARED}",
    5: f"Average Recall {_COMPARED}",
    6: f"Average F1 score {_COMPARED}",
    7: "Number of epochs with accuracy",
    8: "Model accuracy and loss",
}
