using KeycloakCreditBridge.Grants.Review;

namespace KeycloakCreditBridge.Provisioning.Review;

/// <summary>What the review says of the grants of one user; of the account it says nothing.</summary>
internal enum ReviewOutcome
{
    /// <summary>They are paid.</summary>
    Pay,

    /// <summary>The user has to be read in full before that can be said.</summary>
    Undecided,

    /// <summary>They wait for a person.</summary>
    Hold,

    /// <summary>They are not paid.</summary>
    Refuse,
}

/// <param name="Assessment">What the signals say.</param>
/// <param name="Terms">Those of the user's realm; null where its grants are not reviewed.</param>
internal sealed record Verdict(ReviewOutcome Outcome, Assessment Assessment, FraudTerms? Terms)
{
    /// <summary>Nothing is reviewed.</summary>
    public static readonly Verdict Unreviewed = new(ReviewOutcome.Pay, Assessment.Clean, null);

    public bool IsPaid => Outcome == ReviewOutcome.Pay;

    /// <summary>Whether a hold is opened, which may be a refusal.</summary>
    public bool IsHeld => Outcome is ReviewOutcome.Hold or ReviewOutcome.Refuse;

    /// <summary>What a new account has until then; null where nothing is held back.</summary>
    public decimal? WhileHeld => IsPaid ? null : Terms!.WhileHeld;

    /// <summary>The verdict on a user that was read as fully as exemptions need.</summary>
    public static Verdict Of(Assessment assessment, FraudTerms terms) => new(
        assessment.Score >= terms.Refuse ? ReviewOutcome.Refuse
            : assessment.Score >= terms.Hold ? ReviewOutcome.Hold
            : ReviewOutcome.Pay,
        assessment, terms);
}
