using KeycloakCreditBridge.Grants.Referrals;

namespace KeycloakCreditBridge.Tests.Grants.Referrals.Payments;

/// <summary>A referee as the model has it.</summary>
internal sealed class ModelReferral(string referee, bool isSuspect, bool sharesInbox, DateTimeOffset touchedAt)
{
    public string Referee => referee;

    public bool IsSuspect => isSuspect;

    public bool SharesInbox => sharesInbox;

    public DateTimeOffset TouchedAt => touchedAt;

    public ReferralState State { get; set; } = ReferralState.Touched;

    public string? Reason { get; set; }

    public bool IsChecked { get; set; }

    public bool HasPlace { get; set; }

    public DateTimeOffset SettlesAt { get; set; }

    public bool IsPaid { get; set; }

    public bool IsReferrerPaid { get; set; }

    public decimal Spent { get; set; }

    public bool IsVerified { get; set; } = true;

    public string Status { get; set; } = "active";

    /// <summary>The state of the hold; null without one.</summary>
    public string? Review { get; set; }

    public bool IsAppealed { get; set; }

    /// <summary>As the database tells it.</summary>
    public override string ToString() => string.Join(
        ' ', Referee, ReferralMoves.Name(State), Reason ?? "-", HasPlace ? "place" : "-", IsReferrerPaid ? "given" : "-",
        IsPaid ? "received" : "-", Review ?? "-");
}

/// <summary>One referrer's referrals as docs/referrals.md and docs/review.md describe them, one order after another.</summary>
internal sealed class ReferralModel(int places, TimeSpan settle, TimeSpan within)
{
    public List<ModelReferral> Referrals { get; } = [];

    public int Places => Referrals.Count(referral => referral.HasPlace);

    // More than 30 % of three or more.
    private bool HasDeletedReferees => Referrals.Count(referral => referral.IsPaid) is >= 3 and var paid
        && Referrals.Count(referral => referral is { IsPaid: true, Status: "closed" }) * 10 > paid * 3;

    public void Evaluate(ModelReferral referral, DateTimeOffset now)
    {
        while (Step(referral, now))
        {
            // What follows at once.
        }
    }

    public static void Reverse(ModelReferral referral)
    {
        if (referral is { IsPaid: true, State: ReferralState.Paid or ReferralState.Capped })
            To(referral, ReferralState.Reversed, "reversed");
        else if (!ReferralMoves.IsOver(referral.State) && referral.State != ReferralState.Reversed)
            Cancel(referral, "reversed");
    }

    public static void Reject(ModelReferral referral)
    {
        if (referral.Review == "held")
            referral.Review = "rejected";
    }

    public static void Appeal(ModelReferral referral)
    {
        if (referral is { Review: "rejected", IsAppealed: false })
            (referral.Review, referral.IsAppealed) = ("held", true);
    }

    public void Approve(ModelReferral referral)
    {
        if (referral is not { Review: "held", Status: "active" })
            return;
        if (referral is { State: ReferralState.Held or ReferralState.Capped, IsPaid: false })
        {
            referral.Review = "approved";
        }
        else if (referral is { State: ReferralState.Canceled, Reason: "review_refused" })
        {
            referral.Review = "approved";
            referral.HasPlace = Places < places;
            To(referral, referral.HasPlace ? ReferralState.Held : ReferralState.Capped, referral.HasPlace ? "in_review" : "no_place");
        }
    }

    private bool Step(ModelReferral referral, DateTimeOffset now) => referral switch
    {
        { State: ReferralState.Canceled or ReferralState.Refused or ReferralState.Expired or ReferralState.Reversed } => false,
        { IsPaid: true } => false,
        { Status: "closed" } => Cancel(referral, "referee_closed"),
        { Review: "rejected" } => Cancel(referral, "review_refused"),
        { State: ReferralState.Touched } => Touched(referral, now),
        { State: ReferralState.Held } => HoldOf(referral) is null && To(referral, ReferralState.Pending),
        _ => now >= referral.SettlesAt && Settled(referral),
    };

    private bool Touched(ModelReferral referral, DateTimeOffset now)
    {
        var (isMet, isLate) = (referral.Spent >= 1m, now >= referral.TouchedAt + within);
        if (!isMet && referral.IsChecked)
            return isLate && To(referral, ReferralState.Expired);
        if (referral.SharesInbox)
            return To(referral, ReferralState.Refused, "same_inbox");
        if (isMet && referral is { IsVerified: true, Status: "active" })
        {
            referral.HasPlace = Places < places;
            referral.SettlesAt = now + settle;
            return referral.HasPlace ? To(referral, ReferralState.Pending) : To(referral, ReferralState.Capped, "no_place");
        }

        if (isLate)
            return To(referral, ReferralState.Expired);
        referral.IsChecked = true;
        return false;
    }

    private bool Settled(ModelReferral referral)
    {
        if (referral.Spent < 1m)
            return Cancel(referral, "not_met");
        if (!referral.IsVerified)
            return Cancel(referral, "not_verified");
        if (referral is { IsSuspect: true, Review: null })
        {
            referral.Review = "held";
            return referral.State != ReferralState.Capped && To(referral, ReferralState.Held, "in_review");
        }

        if (referral.State == ReferralState.Capped)
        {
            referral.IsPaid = referral is { Status: "active", Review: not "held" };
            return false;
        }

        if (HoldOf(referral) is { } hold)
            return To(referral, ReferralState.Held, hold);
        (referral.IsPaid, referral.IsReferrerPaid) = (true, true);
        To(referral, ReferralState.Paid);
        return false;
    }

    private string? HoldOf(ModelReferral referral) =>
        referral.Status != "active" ? "account_held"
        : referral.Review == "held" ? "in_review"
        : HasDeletedReferees ? "referees_deleted"
        : null;

    private static bool Cancel(ModelReferral referral, string reason)
    {
        referral.HasPlace = false;
        return To(referral, ReferralState.Canceled, reason);
    }

    private static bool To(ModelReferral referral, ReferralState state, string? reason = null)
    {
        (referral.State, referral.Reason, referral.IsChecked) = (state, reason, true);
        return true;
    }
}
