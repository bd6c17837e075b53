"""First names that the privacy gate knows: common ones in Sweden, in English-speaking countries and in India."""

from __future__ import annotations

FIRST_NAMES = frozenset(
    # Names that are mostly something else (Mark, Max, May, Sydney) are left out on purpose. Some are both, as Jan, Per
    # and Victoria: then "Victoria Falls" counts as a person, and the question stays here.
    """
    Agneta Alexander Alice Alva Anders Andreas Anette Anita Anna Annika Astrid Axel Barbro Bengt Birgitta Björn Bo
    Camilla Carina Caroline Catharina Cecilia Charlotte Christer Christina Christoffer Daniel David Ebba Elias Elin
    Elisabeth Elsa Emelie Emma Erik Eva Filip Fredrik Gunilla Gunnar Gustav Göran Hanna Hans Helena Henrik Håkan Ida
    Inger Ingrid Jan Jenny Jesper Johan Johanna Jonas Josefin Julia Karin Karl Katarina Kerstin Kristina Lars Leif
    Lena Lennart Linda Linnea Linus Lisa Lovisa Magnus Maja Malin Marcus Margareta Maria Marianne Marie Martin Mats
    Mattias Mikael Monica Niklas Nils Ola Olof Oscar Oskar Patrik Per Pernilla Peter Pia Rolf Sara Sofia Sofie Stefan
    Sten Susanne Sven Therese Thomas Tobias Tomas Ulf Ulla Ulrika Viktor Wilma Åke Åsa Örjan
    Adam Amanda Amy Andrew Anthony Ashley Barbara Benjamin Betty Brandon Brian Carol Catherine Charles Christopher
    Cynthia Deborah Dennis Diana Donald Donna Dorothy Edward Elizabeth Emily Eric Frank Gary George Gregory Hannah
    Heather Helen Henry Jack Jacob James Janet Jason Jeffrey Jennifer Jeremy Jessica John Jonathan Joseph Joshua
    Judith Karen Kathleen Keith Kelly Kenneth Kevin Kimberly Larry Laura Lauren Linda Lucy Margaret Mary Matthew
    Megan Melissa Michael Michelle Nancy Nathan Nicholas Nicole Olivia Pamela Patricia Patrick Paul Philip Rachel
    Raymond Rebecca Richard Robert Ronald Ruth Ryan Samantha Samuel Sandra Sarah Scott Sharon Sophie Stephanie
    Stephen Steven Susan Teresa Timothy Tyler Victoria Walter William Zachary
    Aditya Ajay Akash Amit Ananya Anil Anita Anjali Arjun Arun Asha Ashok Deepa Deepak Divya Gaurav Geeta Harish
    Karthik Kavita Kiran Krishna Lakshmi Lalita Mahesh Manish Meena Meera Mohan Mukesh Neha Nikhil Nisha Pooja Prakash
    Pradeep Prashant Preeti Priya Rahul Rajesh Rakesh Ramesh Ravi Rekha Ritu Rohan Rohit Sandeep Sanjay Santosh Shreya
    Shweta Sneha Sunil Sunita Suresh Swati Varun Vidya Vijay Vikram Vinod Vivek
    """.split()  # noqa: SIM905 - a list of quoted names would be harder to read
)
