using Microsoft.AspNetCore.Authorization;

namespace KeycloakCreditBridge.Api.Tokens;

/// <summary>What endpoints require of their callers.</summary>
internal static class TokenRequirement
{
    /// <summary>A token, with one of these roles if any are named.</summary>
    public static TBuilder RequireToken<TBuilder>(this TBuilder endpoint, params string[] roles)
        where TBuilder : IEndpointConventionBuilder =>
        endpoint.RequireAuthorization(new AuthorizeAttribute
        {
            AuthenticationSchemes = RealmTokenHandler.SchemeName,
            Roles = roles.Length == 0 ? null : string.Join(',', roles),
        });

    /// <summary>The sentence for a caller without any of these roles.</summary>
    /// <param name="roles">Separated by commas.</param>
    /// <param name="audience">The client whose roles count beside those of the realm.</param>
    public static string MissingRole(string roles, string audience) =>
        $"This needs the role {roles.Replace(",", " or ", StringComparison.Ordinal)}, of the realm or of its client {audience}.";
}
