using System.Net.Http.Headers;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>Retry-After comes in seconds or as a date.</summary>
internal static class RetryAfterHeader
{
    public static TimeSpan? DelayFrom(this RetryConditionHeaderValue? header, DateTimeOffset now) => header?.Delta ?? header?.Date - now;
}
