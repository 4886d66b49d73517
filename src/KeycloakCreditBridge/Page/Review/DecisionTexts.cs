using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Holds;

namespace KeycloakCreditBridge.Page.Review;

/// <summary>Signals and outcomes in words.</summary>
internal static class DecisionTexts
{
    /// <summary>Why a hold could not be decided.</summary>
    public static string Of(DecisionOutcome outcome) => outcome switch
    {
        DecisionOutcome.AccountNotActive => "The account is on hold or closed: nothing can be paid to it. The hold stays open.",
        DecisionOutcome.InboxTaken => "Another account was paid for the same inbox. The hold stays open: reject it.",
        DecisionOutcome.BudgetUsedUp => "The budget of the rule is used up. The hold stays open: approve it when there is more.",
        DecisionOutcome.PolicyDisabled => "Grants of this policy were ended by an operator. The hold stays open until `grants enable`.",
        DecisionOutcome.NotPayable => "The grant was given otherwise, or cannot be given any more. The hold stays open: reject it.",
        _ => "The hold changed meanwhile.",
    };

    public static string OfSignal(string signal) => signal switch
    {
        SignalNames.DisposableDomain => "disposable address",
        SignalNames.RelayDomain => "forwarding address",
        SignalNames.SameInbox => "inbox of another account",
        SignalNames.NetworkHour => "many of one network in an hour",
        SignalNames.NetworkDay => "many of one network in a day",
        SignalNames.DomainBurst => "many of one rare domain",
        SignalNames.SequentialNames => "names in a row",
        SignalNames.Denied => "denied by an operator",
        _ => signal.Replace('_', ' '),
    };
}
