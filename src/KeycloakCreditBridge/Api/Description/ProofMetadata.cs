namespace KeycloakCreditBridge.Api.Description;

/// <summary>What a route takes as proof instead of an access token; any one of these schemes is enough.</summary>
internal sealed record ProofMetadata(params string[] Schemes)
{
    public const string GatewayKey = "gatewayKey";
    public const string GatewayBearer = "gatewayBearer";
}
