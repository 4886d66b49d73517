namespace KeycloakCreditBridge.Api.Rates;

/// <summary>
/// A path that machines call for many users: its requests count against the limit of machines. Each room registers its own.
/// </summary>
internal sealed record MachinePath(string Path);
