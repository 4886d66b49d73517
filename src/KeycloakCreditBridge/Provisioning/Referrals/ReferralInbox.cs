using KeycloakCreditBridge.Grants.Claims;

namespace KeycloakCreditBridge.Provisioning.Referrals;

/// <summary>What two addresses of one inbox have in common.</summary>
internal static class ReferralInbox
{
    /// <summary>The inbox of an address; null without one.</summary>
    public static string? Of(string? email) => string.IsNullOrWhiteSpace(email)
        ? null
        : Inbox.Of(email, new InboxRules()) ?? email.Trim().ToLowerInvariant();
}
