using KeycloakCreditBridge.Api.Problems;

namespace KeycloakCreditBridge.Page.Gate;

/// <summary>Why an operator does something, for the audit log.</summary>
internal static class Reason
{
    private const int Shortest = 3;
    private const int Longest = 500;

    /// <summary>As a form has it.</summary>
    public static string Of(IFormCollection form) => form["reason"].ToString().Trim();

    /// <exception cref="RequestRefusedException">It is none.</exception>
    public static void Check(string reason)
    {
        if (reason.Length is < Shortest or > Longest || reason.Contains('\0', StringComparison.Ordinal))
        {
            throw new RequestRefusedException(
                StatusCodes.Status400BadRequest, $"The reason has {reason.Length} characters: give {Shortest} to {Longest}.");
        }
    }
}
